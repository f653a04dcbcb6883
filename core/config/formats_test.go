package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const sameYAML = `node: {name: a@10.0.0.1, cluster: c}
discovery:
  use: [static]
  static:
    refresh: 7s
    nodes:
      seed1@10.0.0.1: ["10.0.0.1:9100", "10.0.0.1:9101"]
plugins:
  discovery/consul: {command: /x, insecure_unpinned: true, env: {A: b}}
`

const sameJSON = `{
  "node": {"name": "a@10.0.0.1", "cluster": "c"},
  "discovery": {
    "use": ["static"],
    "static": {
      "refresh": "7s",
      "nodes": {"seed1@10.0.0.1": ["10.0.0.1:9100", "10.0.0.1:9101"]}
    }
  },
  "plugins": {"discovery/consul": {"command": "/x", "insecure_unpinned": true, "env": {"A": "b"}}}
}
`

const sameTOML = `node = {name = "a@10.0.0.1", cluster = "c"}
[discovery]
use = ["static"]
static.refresh = "7s"
[discovery.static.nodes]
"seed1@10.0.0.1" = ["10.0.0.1:9100", "10.0.0.1:9101"]
[plugins."discovery/consul"]
command = "/x"
insecure_unpinned = true
env.A = "b"
`

func TestFormatsSayTheSame(t *testing.T) {
	want := mustLoad(t, Sources{}, "node.yaml", sameYAML)
	for file, text := range map[string]string{
		"node.json": sameJSON, "node.toml": sameTOML, "node.yml": "\ufeff" + strings.ReplaceAll(sameYAML, "\n", "\r\n"),
		"crlf.toml": "\ufeff" + strings.ReplaceAll(sameTOML, "\n", "\r\n"), "crlf.JSON": "\ufeff" + strings.ReplaceAll(sameJSON, "\n", "\r\n"),
	} {
		got := mustLoad(t, Sources{}, file, text)
		if !reflect.DeepEqual(got.Document(), want.Document()) {
			t.Errorf("%s\n got %v\nwant %v", file, got.Document(), want.Document())
		}
		if changed := Diff(want, got); len(changed) > 0 {
			t.Errorf("%s differs in %q", file, changed)
		}
	}
}

func TestPlacesInEachFormat(t *testing.T) {
	cases := []struct{ file, text, want string }{
		{"n.json", "{\n  \"links\": {\"sweep\": 60,\n    \"swep\": 1}\n}", `n.json:2:13: links.sweep: wants a duration, got the number 60 without a unit; write it with a unit, as 60s
n.json:3:5: links: unknown key "swep"; did you mean "sweep"?`},
		{"n.json", "{\"bootstrap\": {\"contact_nodes\": [\n  \"a@b\",\n  \"c\"]}}", `n.json:3:3: bootstrap.contact_nodes[1]: node "c": no @; write name@host`},
		{"n.json", "{\"node\": {},\n \"node\": {}}", `n.json:2:2: duplicate key "node", first in line 1; keep one of the two`},
		{"n.json", "{\n  \"node\": {,}\n}", `n.json:2:12: no JSON: invalid character ',' looking for beginning of object key string; look for a missing or extra comma, quote or bracket; JSON has no comments`},
		{"n.json", "{\"node\": {\n", `n.json:1:11: no JSON: unexpected end of JSON input; look for a missing or extra comma, quote or bracket; JSON has no comments`},
		{"n.json", "[]", `n.json:1:1: the file has no sections; start with a section, as node: {name: a@10.0.0.1}`},
		{"n.toml", "[links]\nsweep = 60\n", `n.toml:2:1: links.sweep: wants a duration, got the number 60 without a unit; write it with a unit, as 60s`},
		{"n.toml", "[discovery]\n  static.refersh = '1s'\n", `n.toml:2:10: discovery.static: unknown key "refersh"; did you mean "refresh"?`},
		{"n.toml", "[bootstrap]\ncontact_nodes = [\n  'a@b',\n  'c']\n", `n.toml:4:3: bootstrap.contact_nodes[1]: node "c": no @; write name@host`},
		{"n.toml", "[node]\ncluster = 'a'\ncluster = 'b'\n", `n.toml:3:1: `},
		{"n.toml", "[node\n", `n.toml:1:6: `},
		{"n.toml", "[node]\ncluster = 2001-01-01\n", `n.toml:2:1: node.cluster: wants text, got a date or time; put it in quotes`},
		{"n.toml", "[[links.sweep]]\n[[links.sweep]]\na = 1\n", `n.toml:1:9: links.sweep: wants a duration, got a list; write a number with a unit, as 5s or 1m30s`},
		{"n.yaml", "- a\n", `n.yaml:1:1: the file has no sections; start with a section, as node: {name: a@10.0.0.1}`},
		{"n.yaml", "just text", `n.yaml:1:1: the file has no sections; start with a section, as node: {name: a@10.0.0.1}`},
		{"n.yaml", "node: {}\n---\nnode: {}\n", `n.yaml:2:1: a second document starts here; one file is one document; leave out the line ---`},
		{"n.yaml", "node: {? [a] : b}\n", `n.yaml:1:10: node: a key must be text; write key: value`},
		{"n.yaml", "node: {cluster: !secret x}\n", `n.yaml:1:17: node.cluster: the tag !secret means nothing here; leave it out`},
		{"n.yaml", "é: x\n", `n.yaml:1:1: unknown key "é"; known here: node, `},
		{"n.yaml", "node: {cluster: \"a\nb\"}\nlinks: {x: [}\n", `n.yaml:3:13: no YAML: `},
		{"n.yaml", "node:\n  cluster: \xff\n", `n.yaml:2:12: not UTF-8 text; save it as UTF-8`},
		{"n.yaml", "\"a\\x1fb\": {}\n", `n.yaml:1:1: the key "a\x1fb" has a control character`},
		{"n.json", `{"auth": {"enabled": "yes"}}`, `n.json:1:11: auth.enabled: wants true or false, got the text "yes"; write true, without quotes`},
		{"n.ini", "[node]\ncluster = a\n", `n.ini:2:1: no YAML: did not find expected <document start>; look for a missing bracket, quote or comma, or a wrong indent, here or just above; a file .ini is read as YAML; JSON and TOML need the extension .json or .toml`},
		{"n.conf", "cluster = a\n", `n.conf:1:1: the file has no sections; start with a section, as node: {name: a@10.0.0.1}; a file .conf is read as YAML; JSON and TOML need the extension .json or .toml`},
		{"n.yaml", "node: {cluster: \x01}\n", `n.yaml: no YAML: control characters are not allowed`},
	}
	for _, c := range cases {
		_, err := loadText(c.file, c.text)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}

func TestAliases(t *testing.T) {
	c := mustLoad(t, Sources{}, "n.yaml", "links: &l {sweep: 9s, idle_after: 8s}\nnode: {cluster: &c abc, data_dir: *c}\n")
	if c.Node.DataDir != "abc" {
		t.Errorf("data_dir %q", c.Node.DataDir)
	}
	c = mustLoad(t, Sources{}, "n.yaml", `
plugins:
  discovery/a: &a {command: /a, insecure_unpinned: true, timeout: 7s}
  discovery/b: {<<: *a, command: /b}
`)
	if b := c.Plugins["discovery/b"]; b.Command != "/b" || !b.InsecureUnpinned || b.Timeout.Seconds() != 7 {
		t.Errorf("merged entry %+v", b)
	}
}

func TestAliasBombsAndDepth(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for _, c := range []string{"ab", "bc", "cd", "de", "ef", "fg", "gh", "hi"} {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c[1], c[1], strings.Repeat("*"+c[:1]+",", 9)+"*"+c[:1])
	}
	cases := []struct{ file, text, want string }{
		{"n.yaml", bomb, "unfold to more than"},
		{"n.yaml", "node: &n {cluster: *n}\n", "contains itself"},
		{"n.yaml", "node: {<<: 5}\n", "<< wants a section"},
		{"n.yaml", "node: *nobody\n", "unknown anchor"},
		{"n.yaml", "node: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "deep"},
		{"n.json", `{"node": ` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}", "deep"},
		{"n.toml", "node = " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "deep"},
		{"n.toml", strings.Repeat("a.", 20_000) + "a = 1", "deep"},
	}
	for _, c := range cases {
		_, err := loadText(c.file, c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40q: got %.300v, want something about %q", c.text, err, c.want)
		}
	}
}

func TestFileTroubles(t *testing.T) {
	dir := t.TempDir()
	big := filepath.Join(dir, "big.yaml")
	if err := os.WriteFile(big, []byte(strings.Repeat("# nothing here\n", maxFile/10)), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := []struct{ file, want string }{
		{filepath.Join(dir, "none.yaml"), "no such file; `barrel config defaults` prints one to start from; without a file the defaults apply"},
		{dir, "is a directory; name a file"},
		{big, "larger than 1048576 bytes; this is no configuration"},
	}
	for _, c := range cases {
		_, err := Load(Sources{File: c.file}, testSlots())
		if err == nil || err.Error() != c.file+": "+c.want {
			t.Errorf("\n got %v\nwant %s: %s", err, c.file, c.want)
		}
	}
	good := write(t, "node.yaml", sameYAML)
	c, err := Load(Sources{File: good}, testSlots())
	if err != nil || c.Node.Cluster != "c" {
		t.Errorf("%v, %v", c, err)
	}
}
