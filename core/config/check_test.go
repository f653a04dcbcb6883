package config

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

const sum = "9f2c0000000000000000000000000000000000000000000000000000000000ff"

func TestChecksAcrossKeys(t *testing.T) {
	cases := []struct{ name, text, want string }{
		{"cookie_only without a cookie", "auth: {cookie_only: [probe@*]}",
			`node.yaml:1:8: auth.cookie_only: needs a cookie, and none is set; set auth.cookie_file or auth.cookie, or empty this list`},
		{"two cookies", "auth: {cookie: a, cookie_file: b}",
			`node.yaml:1:19: auth.cookie_file: auth.cookie is set too; keep one of the two`},
		{"pattern in parts", "auth: {cookie: a, cookie_only: ['pro*@h']}",
			`node.yaml:1:33: auth.cookie_only[0]: pattern "pro*@h": a half is neither * nor right in a node name; write it as probe@*`},
		{"cluster with a space", "node: {cluster: a b}",
			`node.yaml:1:8: node.cluster: "a b" has ' ' in it; use 1 to 255 letters, digits, '_', '-' and '.'`},
		{"empty cluster", "node: {cluster: ''}",
			`node.yaml:1:8: node.cluster: is empty; use 1 to 255 letters, digits, '_', '-' and '.'`},
		{"empty data_dir", "node: {data_dir: ''}",
			`node.yaml:1:8: node.data_dir: is empty; name a directory, as data`},
		{"prometheus without a port", "telemetry: {prometheus: localhost}",
			`node.yaml:1:13: telemetry.prometheus: "localhost" is no host:port; write it as 127.0.0.1:9568`},
		{"empty chain", "discovery: {use: []}",
			`node.yaml:1:13: discovery.use: names no plugin; name one or more of static, file, dns`},
		{"plugin twice in the chain", "discovery: {use: [dns, static, dns]}",
			`node.yaml:1:32: discovery.use[2]: "dns" is named twice; name it once`},
		{"empty contact", "bootstrap: {contact_nodes: [a@x, '']}",
			`node.yaml:1:34: bootstrap.contact_nodes[1]: is empty, wants a node`},
		{"contact that is nothing", "bootstrap: {contact_nodes: [a@x, ~]}",
			`node.yaml:1:34: bootstrap.contact_nodes[1]: has no value, wants a node`},
		{"one node in two spellings", "discovery: {static: {nodes: {a@HOST: ['h:1'], a@host: ['h:2']}}}",
			`node.yaml:1:47: discovery.static.nodes.a@host: is the same key as "a@HOST"; keep one of the two`},
		{"known but unused plugin is checked", "discovery: {use: [file], dns: {port: no}}",
			`node.yaml:1:32: discovery.dns.port: wants a whole number, got the text "no"`},
		{"plugin without settings", "trust: {strict: {level: 3}}",
			`node.yaml:1:18: trust.strict: unknown key "level"; did you mean "log.level"?`},
		{"external without a checksum", "plugins: {discovery/consul: {command: /x}}",
			`node.yaml:1:11: plugins.discovery/consul.sha256: is missing, so any program could take its place; add what ` + "`sha256sum FILE`" + ` prints, or insecure_unpinned: true`},
		{"external without a command", "plugins: {discovery/consul: {insecure_unpinned: true}}",
			`node.yaml:1:11: plugins.discovery/consul.command: is missing; name the program, as /usr/libexec/barrel/discovery-consul`},
		{"external with a relative command", "plugins: {discovery/consul: {command: x, sha256: [" + sum + "]}}",
			`node.yaml:1:30: plugins.discovery/consul.command: "x" is no absolute path; programs are not searched for; write the whole path`},
		{"bad checksum", "plugins: {discovery/consul: {command: /x, sha256: [abc]}}",
			`node.yaml:1:52: plugins.discovery/consul.sha256[0]: "abc" is no SHA-256 checksum; ` + "`sha256sum FILE`" + ` prints it: 64 hex digits`},
		{"sandbox that is off", "plugins: {discovery/consul: {command: /x, insecure_unpinned: true, sandbox: {read: [/usr]}}}",
			`node.yaml:1:68: plugins.discovery/consul.sandbox.enabled: is false, so the rest of the section does nothing; write enabled: true, or take the section away`},
		{"sandbox with a relative path", "plugins: {discovery/consul: {command: /x, insecure_unpinned: true, sandbox: {enabled: true, write: [/a, b]}}}",
			`node.yaml:1:105: plugins.discovery/consul.sandbox.write[1]: "b" is no absolute path; write the whole path`},
		{"misspelt slot of an external", "plugins: {discvery/consul: {command: /x, insecure_unpinned: true}}",
			`node.yaml:1:11: plugins.discvery/consul: unknown slot "discvery"; did you mean "discovery"?`},
		{"external without a slot", "plugins: {consul: {command: /x, insecure_unpinned: true}}",
			`node.yaml:1:11: plugins.consul: is no slot/name; write it as discovery/consul`},
		{"external with a name that is built in", "plugins: {discovery/dns: {command: /x, insecure_unpinned: true}}",
			`node.yaml:1:11: plugins.discovery/dns: "discovery/dns" is built in; give yours another name; settings of the built-in one stand under discovery.dns`},
		{"external called use", "plugins: {trust/use: {command: /x, insecure_unpinned: true}}",
			`node.yaml:1:11: plugins.trust/use: "use" cannot be the name of a plugin; use lower-case letters, digits and '-'`},
		{"misspelt external", "plugins: {discovery/consul: {command: /x, insecure_unpinned: true}}\ndiscovery: {use: [consl]}",
			`node.yaml:2:19: discovery.use[0]: unknown plugin "consl"; did you mean "consul"? there are static, file, dns, consul`},
		{"settings of a plugin nobody has", "discovery: {consul: {url: x}}",
			`node.yaml:1:13: discovery: unknown key "consul"; known here: use, static, file, dns`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := loadText("node.yaml", c.text)
			if err == nil || err.Error() != c.want {
				t.Errorf("\n got %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestSettingsOfAnExternalPluginAreKeptRaw(t *testing.T) {
	c := mustLoad(t, Sources{}, "node.yaml",
		"plugins: {discovery/consul: {command: /x, sha256: ["+sum+"]}}\ndiscovery: {consul: {url: 'http://x', token: t0ps3cret}}")
	raw, ok := c.Settings(plugin.Discovery, "consul").(*plugin.Section)
	if !ok || (*raw)["url"] != "http://x" {
		t.Errorf("settings %#v", c.Settings(plugin.Discovery, "consul"))
	}
	if e := c.Plugins["discovery/consul"]; e.Timeout.Seconds() != 5 {
		t.Errorf("timeout %v", e.Timeout)
	}
	for _, row := range c.Show(false) {
		if strings.Contains(row.Value, "t0ps3cret") {
			t.Errorf("%s shows a secret", row.Key)
		}
	}
}

func TestAnExternalPluginFillsASlot(t *testing.T) {
	c := mustLoad(t, Sources{
		Environ: []string{"BARREL_DISCOVERY__CONSUL__RETRIES=3", "BARREL_DISCOVERY__CONSUL__TAGS=[a, b]", "BARREL_DISCOVERY__CONSUL__WAIT=5s"},
	}, "node.yaml", "plugins: {discovery/consul: {command: /x, insecure_unpinned: true}}\ndiscovery: {use: [static, consul]}")
	if use := c.Use(plugin.Discovery); len(use) != 2 || use[1] != "consul" {
		t.Errorf("use %v", use)
	}
	section, _ := c.Settings(plugin.Discovery, "consul").(*plugin.Section)
	want := `{"retries":3,"tags":["a","b"],"wait":"5s"}`
	if got, err := json.Marshal(section); err != nil || string(got) != want {
		t.Errorf("settings %s, %v, want %s", got, err, want)
	}
}

func TestProblemsOfAnExternalPluginHaveTheirPlace(t *testing.T) {
	c := mustLoad(t, Sources{}, "node.yaml",
		"plugins: {discovery/consul: {command: /x, insecure_unpinned: true}}\ndiscovery:\n  use: [consul]\n  consul:\n    utl: x\n")
	err := c.Locate(plugin.Discovery, "consul", []plugin.Problem{{Text: `unknown key "utl"`, Hint: `did you mean "url"?`}, {Path: "utl", Text: "odd"}})
	want := "node.yaml:4:3: discovery.consul: unknown key \"utl\"; did you mean \"url\"?\nnode.yaml:5:5: discovery.consul.utl: odd"
	if got := fmt.Sprint(err); got != want && got != strings.Replace(want, "4:3", "5:5", 1) {
		t.Errorf("got %s", got)
	}
	if err := c.Locate(plugin.Discovery, "consul", nil); err != nil {
		t.Errorf("without problems: %v", err)
	}
}

// Whatever is wrong with a secret, its value does not get into a message.
func TestProblemsDoNotTellSecrets(t *testing.T) {
	for _, text := range []string{
		"auth: {cookie: [t0ps3cret]}", "auth: {cookie: {t: t0ps3cret}}", "auth: {cookie: 73571}", "discovery: {dns: {token: 73571}}",
		"plugins: {trust/x: {command: /x, insecure_unpinned: true, env: {A: 73571}}}",
		"plugins: {trust/x: {command: /x, insecure_unpinned: true, env: t0ps3cret}}",
	} {
		_, err := loadText("node.yaml", text)
		if err == nil || strings.Contains(err.Error(), "t0ps3cret") || strings.Contains(err.Error(), "73571") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestPatterns(t *testing.T) {
	cases := []struct {
		pattern, node string
		want          bool
	}{
		{"probe@*", "probe@10.0.0.1", true},
		{"probe@*", "prober@10.0.0.1", false},
		{"*@10.0.0.1", "x@10.0.0.1", true},
		{"*@HOST", "x@host", true},
		{"*@*", "x@[fd00::1]", true},
		{"x@[fd00:0::1]", "x@[fd00::1]", true},
		{"x@h", "x@g", false},
	}
	for _, c := range cases {
		p, err := ParsePattern(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Match(name.MustNode(c.node)); got != c.want {
			t.Errorf("%s on %s: %v", c.pattern, c.node, got)
		}
		if again, err := ParsePattern(p.String()); err != nil || again != p {
			t.Errorf("%s comes back as %v, %v", p, again, err)
		}
	}
	if (Pattern{}).Match(name.MustNode("a@b")) || mustPattern(t, "*@*").Match(name.Node{}) {
		t.Error("nothing matches, or is matched")
	}
}

func mustPattern(t *testing.T, s string) Pattern {
	t.Helper()
	p, err := ParsePattern(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
