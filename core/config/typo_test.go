package config

import (
	"strings"
	"testing"
)

// TestTypos is what people get wrong, and what they are told. Each text has exactly one
// problem.
func TestTypos(t *testing.T) {
	cases := []struct{ name, text, want string }{
		{"unknown key nearby", "discovery:\n  use: [static]\n  static:\n    refersh: 5s\n",
			`node.yaml:4:5: discovery.static: unknown key "refersh"; did you mean "refresh"?`},
		{"misspelt section", "discoverry:\n  use: [static]\n",
			`node.yaml:1:1: unknown key "discoverry"; did you mean "discovery"?`},
		{"misspelt section with nothing in it", "node: {}\nbootstarp:\n",
			`node.yaml:2:1: unknown key "bootstarp"; did you mean "bootstrap"?`},
		{"misspelt plugin", "trust:\n  use: tofuu\n",
			`node.yaml:2:3: trust.use: unknown plugin "tofuu"; did you mean "tofu"? there are tofu, strict`},
		{"misspelt plugin in the chain", "discovery:\n  use:\n    - static\n    - flie\n",
			`node.yaml:4:7: discovery.use[1]: unknown plugin "flie"; did you mean "file"? there are static, file, dns`},
		{"plugin nobody knows", "trust: {use: pki}\n",
			`node.yaml:1:9: trust.use: unknown plugin "pki"; there are tofu, strict`},
		{"misspelt plugin section", "transport:\n  qiuc: {listen: \":9100\"}\n",
			`node.yaml:2:3: transport: unknown key "qiuc"; did you mean "quic"?`},
		{"missing unit", "links:\n  idle_after: 300\n",
			`node.yaml:2:3: links.idle_after: wants a duration, got the number 300 without a unit; write it with a unit, as 300s`},
		{"unit in words", "links:\n  sweep: 1 minute\n",
			`node.yaml:2:3: links.sweep: "1 minute" is no duration; did you mean "1m"?`},
		{"days", "links: {idle_after: 2d}\n",
			`node.yaml:1:9: links.idle_after: "2d" is no duration; did you mean "48h"?`},
		{"negative duration", "bootstrap: {retry: -5s}\n",
			`node.yaml:1:13: bootstrap.retry: must be longer than nothing, got -5s; write a duration such as 5s`},
		{"yes for true", "auth:\n  enabled: yes\n",
			`node.yaml:2:3: auth.enabled: wants true or false, got the text "yes"; write true`},
		{"true in quotes", "auth:\n  enabled: 'true'\n",
			`node.yaml:2:3: auth.enabled: wants true or false, got the text "true"; write true, without quotes`},
		{"number for text", "node:\n  cluster: 42\n",
			`node.yaml:2:3: node.cluster: wants text, got the number 42; put it in quotes`},
		{"quoted number", "transport:\n  quic:\n    cert_days: \"30\"\n",
			`node.yaml:3:5: transport.quic.cert_days: wants a whole number, got the text "30"; leave out the quotes`},
		{"number too large", "discovery:\n  dns: {port: 91000}\n",
			`node.yaml:2:9: discovery.dns.port: 91000 is too large; at most 65535`},
		{"scalar for a list", "discovery:\n  use: static\n",
			`node.yaml:2:3: discovery.use: wants a list of text, got the text "static"; write [static]`},
		{"list for a scalar", "trust:\n  use: [tofu]\n",
			`node.yaml:2:3: trust.use: wants text, got a list`},
		{"text for a section", "log: debug\n",
			`node.yaml:1:1: log: wants a section, got the text "debug"; its keys are level, format`},
		{"text for a slot", "transport: quic\n",
			`node.yaml:1:1: transport: wants a section, got the text "quic"; its keys are use, quic, memory`},
		{"duplicated key", "node:\n  cluster: a\n  data_dir: d\n  cluster: b\n",
			`node.yaml:4:3: node: duplicate key "cluster", first in line 2; keep one of the two`},
		{"tab indentation", "node:\n\tcluster: a\n",
			`node.yaml:2:1: the line is indented with a tab; indent with spaces`},
		{"unquoted colon", "node:\n  cluster: a: b\n",
			`node.yaml:2:13: no YAML: mapping values are not allowed in this context; put text with a colon in quotes, and indent keys of one section alike`},
		{"node name without a host", "bootstrap:\n  contact_nodes:\n    - a@10.0.0.1\n    - seed2\n",
			`node.yaml:4:7: bootstrap.contact_nodes[1]: node "seed2": no @; write name@host`},
		{"address without a port", "discovery:\n  static:\n    nodes:\n      seed1@10.0.0.1: [10.0.0.1]\n",
			`node.yaml:4:24: discovery.static.nodes.seed1@10.0.0.1[0]: address "10.0.0.1": write host:port, an IPv6 host in brackets`},
		{"node name as a map key", "discovery:\n  static:\n    nodes:\n      seed1: [\"10.0.0.1:9100\"]\n",
			`node.yaml:4:7: discovery.static.nodes.seed1: node "seed1": no @; write name@host`},
		{"setting one level too high", "transport:\n  listen: \":9100\"\n",
			`node.yaml:2:3: transport: unknown key "listen"; did you mean "transport.quic.listen"?`},
		{"dash for underscore", "node: {data-dir: /tmp}\n",
			`node.yaml:1:8: node: unknown key "data-dir"; did you mean "data_dir"?`},
		{"wrong choice", "log: {level: waring}\n",
			`node.yaml:1:7: log.level: "waring" is none of debug, info, warn, error; did you mean "warn"?`},
		{"number that looks octal", "transport:\n  quic: {cert_days: 0365}\n",
			`node.yaml:2:21: transport.quic.cert_days: 0365 starts with a zero, which some read as octal; leave out the zero, or put it in quotes if it is text`},
		{"setting that contradicts another", "transport:\n  quic: {heartbeat: 5s}\n",
			`node.yaml:2:3: transport.quic.idle_timeout: is not longer than heartbeat; make it three times as long`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := loadText("node.yaml", c.text)
			if err == nil {
				t.Fatalf("no problem found\nwant %s", c.want)
			}
			if got := err.Error(); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
	if len(cases) < 20 {
		t.Errorf("%d typos, want 20 or more", len(cases))
	}
}

func TestAllProblemsAtOnceInTheOrderOfTheFile(t *testing.T) {
	text := strings.Join([]string{
		`node: {cluser: x}`,
		`trust: {use: strct}`,
		`discovery: {use: [static], static: {refresh: 5}}`,
		`links: {sweep: soon}`,
	}, "\n")
	src := Sources{
		Environ: []string{"BARREL_TRANSPORT__QUIC__LISTN=:1", "BARREL_AUTH__CLOCK_SKEW=5"},
		Sets:    []string{"node.cluster=ok", "log.level=loud", "oops"},
	}
	_, err := load(src, parsed("node.yaml", text), testSlots())
	want := []string{
		`node.yaml:1:8: node: unknown key "cluser"; did you mean "cluster"?`,
		`node.yaml:2:9: trust.use: unknown plugin "strct"; did you mean "strict"? there are tofu, strict`,
		`node.yaml:3:37: discovery.static.refresh: wants a duration, got the number 5 without a unit; write it with a unit, as 5s`,
		`node.yaml:4:9: links.sweep: "soon" is no duration; write a number with a unit, as 5s or 1m30s`,
		`environment BARREL_AUTH__CLOCK_SKEW: auth.clock_skew: "5" is no duration; write it with a unit, as 5s`,
		`environment BARREL_TRANSPORT__QUIC__LISTN: transport.quic: unknown key "listn"; did you mean "listen"?`,
		`flag --set log.level: log.level: "loud" is none of debug, info, warn, error`,
		`flag --set oops: no = after the key; write --set key=value, as --set node.name=a@10.0.0.1; put a part with dots in double quotes`,
	}
	if err == nil || err.Error() != strings.Join(want, "\n") {
		t.Errorf("got\n%v\nwant\n%s", err, strings.Join(want, "\n"))
	}
}
