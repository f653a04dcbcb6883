package config

import (
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/barrelp2p/barrel/interfaces/plugin"
)

func mustDefaults(t testing.TB, which string) string {
	t.Helper()
	text, err := Defaults(testSlots(), which)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestSampleLoadsAndChangesNothing(t *testing.T) {
	plain := mustLoad(t, Sources{}, "node.yaml", "")
	c := mustLoad(t, Sources{}, "node.yaml", mustDefaults(t, ""))
	if changed := Diff(plain, c); len(changed) > 0 {
		t.Errorf("the sample changes %q", changed)
	}
	for _, which := range []string{
		"transport/quic", "transport/memory", "discovery/static", "discovery/file", "discovery/dns",
		"trust/tofu", "trust/strict", "auth", "transport", "plugins",
	} {
		c := mustLoad(t, Sources{}, "node.yaml", mustDefaults(t, which))
		if changed := Diff(plain, c); len(changed) > 0 {
			t.Errorf("the sample of %s changes %q", which, changed)
		}
		if kind, name, ok := strings.Cut(which, "/"); ok && c.Settings(plugin.Kind(kind), name) == nil {
			t.Errorf("the sample of %s does not set it", which)
		}
	}
}

// What stands in the sample as a comment must be right too.
func TestSampleWithoutItsCommentSignsLoads(t *testing.T) {
	uncomment := regexp.MustCompile(`(?m)^( *)# ( *(?:# .*|[a-z0-9_]+(?:/[a-z]+)?:(?: .*)?))$`)
	text := uncomment.ReplaceAllString(mustDefaults(t, ""), "$1$2")
	text = strings.ReplaceAll(text, `command: ""`, "command: /x")
	text = strings.ReplaceAll(text, "sha256: []", "sha256: ["+sum+"]")
	c := mustLoad(t, Sources{}, "node.yaml", text)
	if c.Settings(plugin.Trust, "strict") == nil || len(c.Plugins) != 1 {
		t.Errorf("not everything is uncommented:\n%s", text)
	}
}

func TestSampleExplainsEveryKey(t *testing.T) {
	text := mustDefaults(t, "")
	for _, row := range mustLoad(t, Sources{}, "node.yaml", "").Show(false) {
		if key := row.Key[strings.LastIndexByte(row.Key, '.')+1:]; !regexp.MustCompile(`# .*\n *` + key + `:`).MatchString(text) {
			t.Errorf("no word about %s", row.Key)
		}
	}
}

func TestSampleOfSomethingUnknown(t *testing.T) {
	_, err := Defaults(testSlots(), "discovery/dsn")
	if err == nil || err.Error() != `"discovery/dsn": no such plugin or section: did you mean "discovery/dns"?` {
		t.Errorf("got %v", err)
	}
	if _, err := Defaults(testSlots(), "discovery/use"); err == nil {
		t.Error("discovery/use is no plugin")
	}
}

func TestShowHidesSecretsAndNamesOrigins(t *testing.T) {
	text := `auth: {cookie: s3cret}
discovery:
  static:
    nodes:
      a@10.0.0.1: ["10.0.0.1:9100"]
      b@Host: ["10.0.0.2:9100"]
plugins:
  trust/x: {command: /x, insecure_unpinned: true, env: {TOKEN: s3cret}}
`
	c := mustLoad(t, Sources{Sets: []string{"discovery.dns.token=s3cret"}}, "node.yaml", text)
	want := []Row{
		{"auth.cookie", "***", "node.yaml:1:8"},
		{"discovery.use", "[static, file, dns]", "default"},
		{"discovery.static.nodes.a@10.0.0.1", `["10.0.0.1:9100"]`, "node.yaml:5:7"},
		{"discovery.static.nodes.b@host", `["10.0.0.2:9100"]`, "node.yaml:6:7"},
		{"discovery.static.refresh", "1m", "default"},
		{"discovery.dns.token", "***", "flag --set discovery.dns.token"},
		{"plugins.trust/x.env.TOKEN", "***", "node.yaml:8:57"},
		{"admin.socket", "data/run/admin.sock", "default"},
	}
	rows := c.Show(true)
	for _, w := range want {
		if !slices.Contains(rows, w) {
			t.Errorf("no row %+v in\n%+v", w, rows)
		}
	}
	doc, err := json.Marshal(c.Document())
	if err != nil || strings.Contains(string(doc), "s3cret") || strings.Contains(string(doc), "null") {
		t.Errorf("document %s, %v", doc, err)
	}
	if plain := c.Show(false); plain[0].Origin != "" || len(plain) != len(rows) {
		t.Error("origins where none were asked for")
	}
}

func TestUnsetSecretIsNotStarred(t *testing.T) {
	c := mustLoad(t, Sources{}, "node.yaml", "")
	if !slices.Contains(c.Show(false), Row{Key: "auth.cookie", Value: `""`}) {
		t.Errorf("%+v", c.Show(false))
	}
}

// The document is a configuration itself.
func TestDocumentLoadsAgain(t *testing.T) {
	c := mustLoad(t, Sources{}, "node.yaml", sameYAML)
	doc, err := json.Marshal(c.Document())
	if err != nil {
		t.Fatal(err)
	}
	again := mustLoad(t, Sources{}, "node.json", string(doc))
	if !reflect.DeepEqual(c.Document(), again.Document()) {
		t.Errorf("\n got %v\nwant %v", again.Document(), c.Document())
	}
}

func TestDiffNamesChangedKeys(t *testing.T) {
	before := mustLoad(t, Sources{}, "node.yaml", "auth: {cookie: a}\ndiscovery: {static: {nodes: {a@x: ['h:1'], b@x: ['h:1']}}}\n")
	after := mustLoad(t, Sources{}, "node.yaml", "auth: {cookie: b}\ndiscovery: {use: [static], static: {nodes: {a@x: ['h:2'], c@x: ['h:1']}}}\nlog: {level: debug}\n")
	want := []string{
		"auth.cookie", "discovery.use", "discovery.static.nodes.a@x", "discovery.static.nodes.c@x", "log.level",
		"discovery.dns.port", "discovery.dns.server", "discovery.dns.timeout", "discovery.dns.token",
		"discovery.file.dir", "discovery.static.nodes.b@x",
	}
	if got := Diff(before, after); !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
	if got := Diff(before, before); len(got) > 0 {
		t.Errorf("a configuration differs from itself in %q", got)
	}
}

func TestSchema(t *testing.T) {
	var s map[string]any
	if err := json.Unmarshal(Schema(testSlots()), &s); err != nil {
		t.Fatal(err)
	}
	if s["$schema"] != "https://json-schema.org/draft/2020-12/schema" || s["additionalProperties"] != false {
		t.Errorf("head: %v %v", s["$schema"], s["additionalProperties"])
	}
	at := func(keys ...string) map[string]any {
		here := s
		for _, key := range keys {
			below, ok := here[key].(map[string]any)
			if !ok {
				t.Fatalf("no %q in %v", key, keys)
			}
			here = below
		}
		return here
	}
	const p = "properties"
	use := at(p, "discovery", p, "use", "items")
	if !reflect.DeepEqual(use["enum"], []any{"static", "file", "dns"}) {
		t.Errorf("discovery.use: %v", use)
	}
	if trust := at(p, "trust", p, "use"); !reflect.DeepEqual(trust["enum"], []any{"tofu", "strict"}) || trust["default"] != "tofu" {
		t.Errorf("trust.use: %v", trust)
	}
	if port := at(p, "discovery", p, "dns", p, "port"); port["maximum"] != 65535.0 || port["minimum"] != 0.0 {
		t.Errorf("port: %v", port)
	}
	if cookie := at(p, "auth", p, "cookie"); cookie["default"] != nil {
		t.Errorf("a secret has a default in the schema: %v", cookie)
	}
	pattern := regexp.MustCompile(at(p, "links", p, "sweep")["pattern"].(string))
	for text, good := range map[string]bool{"5s": true, "1h30m": true, "1.5s": true, "5": false, "": false, "5 s": false, "5d": false} {
		if pattern.MatchString(text) != good {
			t.Errorf("pattern on %q: want %v", text, good)
		}
	}
}
