package settings_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/settings"
)

type color string

func (color) Choices() []string { return []string{"red", "green"} }

type entry struct {
	Command string        `setting:"command"`
	Timeout time.Duration `setting:"timeout"`
}

func (e *entry) Defaults() { e.Timeout = time.Second }

func (e *entry) Validate() []plugin.Problem {
	if e.Command == "" {
		return []plugin.Problem{{Path: "command", Text: "is missing"}}
	}
	return nil
}

type inner struct {
	Low  int8 `setting:"low"`
	High int8 `setting:"high"`
}

func (i inner) Validate() []plugin.Problem {
	if i.Low > i.High {
		return []plugin.Problem{{Path: "low", Text: "is above high"}, {Text: "is upside down", Hint: "turn it"}}
	}
	return nil
}

type everything struct {
	Text     string                       `setting:"text" help:"some text"`
	Flag     bool                         `setting:"flag"`
	Int      int                          `setting:"int"`
	Int8     int8                         `setting:"int8"`
	Port     uint16                       `setting:"port"`
	Big      uint64                       `setting:"big"`
	Ratio    float64                      `setting:"ratio"`
	Wait     time.Duration                `setting:"wait"`
	Color    color                        `setting:"color"`
	Node     name.Node                    `setting:"node"`
	List     []string                     `setting:"list"`
	Numbers  []int                        `setting:"numbers"`
	Waits    []time.Duration              `setting:"waits"`
	Nodes    map[name.Node][]name.Address `setting:"nodes"`
	Env      map[string]string            `setting:"env"`
	Entries  map[string]entry             `setting:"entries"`
	Rows     []entry                      `setting:"rows"`
	Inner    inner                        `setting:"inner"`
	Token    string                       `setting:"token" secret:"true"`
	Tokens   map[string]int               `setting:"tokens" secret:"true"`
	NoTag    string
	unhidden string //nolint:unused // shows that such a field is left alone
}

func fresh() *everything {
	return &everything{Text: "default", Wait: time.Minute, Color: "red", Env: map[string]string{"A": "1"}, List: []string{"old"}}
}

func fromJSON(t testing.TB, text string) any {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func TestDecodeSetsEveryKindOfField(t *testing.T) {
	got := fresh()
	problems := settings.Decode(fromJSON(t, `{
		"text": "", "flag": true, "int": -5, "int8": -128, "port": 65535, "big": 18446744073709551615,
		"ratio": 2, "wait": "1m30s", "color": "green", "node": "A@HOST", "list": ["x", ""], "numbers": [], "waits": ["1s"],
		"nodes": {"seed1@10.0.0.1": ["10.0.0.1:9100"], "v6@[fd00::1]": ["[fd00::1]:1"]}, "env": {"B": "2"},
		"entries": {"discovery/consul": {"command": "/x"}}, "rows": [{"command": "a", "timeout": "3s"}],
		"inner": {"low": 1, "high": 2}, "token": "t", "tokens": {"a.b": 1}
	}`), got)
	if len(problems) > 0 {
		t.Fatalf("problems: %+v", problems)
	}
	want := &everything{
		Flag: true, Int: -5, Int8: -128, Port: 65535, Big: 18446744073709551615, Ratio: 2, Wait: 90 * time.Second,
		Color: "green", Node: name.MustNode("A@host"), List: []string{"x", ""}, Numbers: []int{}, Waits: []time.Duration{time.Second},
		Nodes: map[name.Node][]name.Address{
			name.MustNode("seed1@10.0.0.1"): {name.MustAddress("10.0.0.1:9100")},
			name.MustNode("v6@[fd00::1]"):   {name.MustAddress("[fd00::1]:1")},
		},
		Env:     map[string]string{"A": "1", "B": "2"},
		Entries: map[string]entry{"discovery/consul": {"/x", time.Second}}, Rows: []entry{{"a", 3 * time.Second}},
		Inner: inner{1, 2}, Token: "t", Tokens: map[string]int{"a.b": 1},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}

func TestNothingLeavesTheDefaults(t *testing.T) {
	for _, in := range []any{nil, map[string]any{}, map[string]any{"text": nil, "wait": nil, "list": nil, "env": nil, "inner": nil}} {
		got := fresh()
		if problems := settings.Decode(in, got); len(problems) > 0 || !reflect.DeepEqual(got, fresh()) {
			t.Errorf("%v: %+v, %+v", in, got, problems)
		}
	}
}

func line(p plugin.Problem) string {
	s := p.Path + ": " + p.Text
	if p.Hint != "" {
		s += "; " + p.Hint
	}
	return s
}

func TestProblems(t *testing.T) {
	cases := []struct{ in, want string }{
		{`{"text": 5}`, `text: wants text, got the number 5; put it in quotes`},
		{`{"text": true}`, `text: wants text, got a boolean; put it in quotes`},
		{`{"text": ["a"]}`, `text: wants text, got a list`},
		{`{"flag": 1}`, `flag: wants true or false, got the number 1`},
		{`{"flag": "Off"}`, `flag: wants true or false, got the text "Off"; write false, without quotes`},
		{`{"int": true}`, `int: wants a whole number, got a boolean`},
		{`{"int": 1.5}`, `int: wants a whole number, got the number 1.5`},
		{`{"int": "7"}`, `int: wants a whole number, got the text "7"; leave out the quotes`},
		{`{"int8": 128}`, `int8: 128 is too large; at most 127`},
		{`{"int8": -129}`, `int8: -129 is too small; at least -128`},
		{`{"port": -1}`, `port: -1 is too small; at least 0`},
		{`{"int": 9223372036854775808}`, `int: 9223372036854775808 is too large; at most 9223372036854775807`},
		{`{"ratio": "x"}`, `ratio: wants a number, got the text "x"`},
		{`{"wait": 5}`, `wait: wants a duration, got the number 5 without a unit; write it with a unit, as 5s`},
		{`{"wait": 0}`, `wait: wants a duration, got the number 0 without a unit; write it with a unit, as 0s`},
		{`{"wait": "0"}`, `wait: "0" is no duration; write it with a unit, as 0s`},
		{`{"wait": true}`, `wait: wants a duration, got a boolean; write a number with a unit, as 5s or 1m30s`},
		{`{"wait": "5 sec"}`, `wait: "5 sec" is no duration; did you mean "5s"?`},
		{`{"wait": "1.5 days"}`, `wait: "1.5 days" is no duration; did you mean "36h"?`},
		{`{"wait": "5 lightyears"}`, `wait: "5 lightyears" is no duration; the units are ms, s, m and h, as in 5s or 1m30s`},
		{`{"color": "gren"}`, `color: "gren" is none of red, green; did you mean "green"?`},
		{`{"node": "x"}`, `node: node "x": no @; write name@host`},
		{`{"node": 5}`, `node: wants a node, got the number 5; put it in quotes`},
		{`{"list": "a"}`, `list: wants a list of text, got the text "a"; write [a]`},
		{`{"list": {"a": 1}}`, `list: wants a list of text, got a section; write [a, b]`},
		{`{"numbers": [1, "2", null]}`, "numbers[1]: wants a whole number, got the text \"2\"; leave out the quotes\nnumbers[2]: has no value, wants a whole number"},
		{`{"nodes": {"seed1@10.0.0.1": ["x"]}}`, `nodes.seed1@10.0.0.1[0]: address "x": write host:port, an IPv6 host in brackets`},
		{`{"nodes": {"seed1": ["h:1"]}}`, `nodes.seed1: node "seed1": no @; write name@host`},
		{`{"nodes": {"": ["h:1"]}}`, `nodes: is empty, wants a node`},
		{`{"nodes": {"a@b": null}}`, `nodes.a@b: has no value, wants a list of address`},
		{`{"nodes": {"a@B": [], "a@b": []}}`, `nodes.a@b: is the same key as "a@B"; keep one of the two`},
		{`{"env": ["a"]}`, `env: wants a map, got a list; write {key: value}`},
		{`{"entries": {"a.b": {"timeout": 5}}}`, "entries.a.b.timeout: wants a duration, got the number 5 without a unit; write it with a unit, as 5s\nentries.a.b.command: is missing"},
		{`{"entries": {"x": null}}`, `entries.x.command: is missing`},
		{`{"rows": [{}, {"command": "a"}, "b"]}`, "rows[2]: wants a section, got the text \"b\"; its keys are command, timeout\nrows[0].command: is missing"},
		{`{"inner": {"low": 3}}`, "inner.low: is above high\ninner: is upside down; turn it"},
		{`{"inner": {"low": "x", "high": -1}}`, "inner.low: wants a whole number, got the text \"x\"\ninner: is upside down; turn it"},
		{`{"inner": 5}`, `inner: wants a section, got the number 5; its keys are low, high`},
		{`{"txet": "x"}`, `: unknown key "txet"; did you mean "text"?`},
		{`{"inner": {"hihg": 1}}`, `inner: unknown key "hihg"; did you mean "high"?`},
		{`{"inner": {"zzz": 1}}`, `inner: unknown key "zzz"; known here: low, high`},
		{`{"NoTag": "x"}`, `: unknown key "NoTag"`},
		{`[]`, `: wants a section, got a list; its keys are text, flag, int, int8, port, big, ratio, wait, color, node, list, numbers, waits, nodes, env, entries, rows, inner, token, tokens`},
	}
	for _, c := range cases {
		var got []string
		for _, p := range settings.Decode(fromJSON(t, c.in), fresh()) {
			got = append(got, line(p))
		}
		if all := strings.Join(got, "\n"); all != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.in, all, c.want)
		}
	}
}

func TestText(t *testing.T) {
	cases := []struct {
		key, text string
		want      any // of the field, or a string that is in the problem
	}{
		{"text", "true", "true"},
		{"text", "[a, b]", "[a, b]"},
		{"flag", "true", true},
		{"int", "-42", int64(-42)},
		{"big", "18446744073709551615", uint64(18446744073709551615)},
		{"ratio", "1e3", 1000.0},
		{"wait", "2h", "2h"},
		{"node", "a@b", "a@b"},
		{"list", "", []any{}},
		{"list", "a, b,c", []any{"a", "b", "c"}},
		{"list", `["a", "b,c"]`, []any{"a", "b,c"}},
		{"list", "[::1]:1,b", []any{"[::1]:1", "b"}},
		{"numbers", "1,2", []any{int64(1), int64(2)}},
		{"waits", "1s,2m", []any{"1s", "2m"}},
		{"env", `{"B": "x"}`, map[string]any{"A": "1", "B": "x"}},
		{"inner", `{"high": 3}`, map[string]any{"low": int64(0), "high": int64(3)}},
	}
	for _, c := range cases {
		got := fresh()
		problems := settings.Decode(map[string]any{c.key: settings.Text(c.text)}, got)
		if value := settings.Plain(got)[c.key]; len(problems) > 0 || !reflect.DeepEqual(value, c.want) {
			t.Errorf("%s=%s: %#v, %+v", c.key, c.text, value, problems)
		}
	}
}

func TestBadText(t *testing.T) {
	cases := []struct{ key, text, want string }{
		{"flag", "True", `flag: wants true or false, got the text "True"; write true, without quotes`},
		{"int", "0x10", `int: wants a whole number, got the text "0x10"`},
		{"int", "", `int: wants a whole number, got the text ""`},
		{"port", "70000", `port: 70000 is too large; at most 65535`},
		{"ratio", "NaN", `ratio: wants a number within bounds, got the text "NaN"`},
		{"wait", "5", `wait: "5" is no duration; write it with a unit, as 5s`},
		{"numbers", "1,,2", `numbers[1]: wants a whole number, got the text ""`},
		{"list", "[a", `list: the list has no closing bracket; write a,b or [a, b]`},
		{"env", "A=B", `env: wants a map, got the text "A=B"; write {key: value}`},
		{"inner", "high", `inner: wants a section, got the text "high"; its keys are low, high`},
	}
	for _, c := range cases {
		problems := settings.Decode(map[string]any{c.key: settings.Text(c.text)}, fresh())
		if len(problems) != 1 || line(problems[0]) != c.want {
			t.Errorf("%s=%s\n got %+v\nwant %s", c.key, c.text, problems, c.want)
		}
	}
}

func TestSecretsAreNotQuoted(t *testing.T) {
	for _, in := range []any{
		map[string]any{"token": 73571}, map[string]any{"token": []any{"73571"}}, map[string]any{"tokens": map[string]any{"a": "73571"}},
		map[string]any{"tokens": settings.Text("73571")}, map[string]any{"tokens": settings.Text(`{"a": 73571x}`)},
		map[string]any{"tokens": map[string]any{"a": uint64(7357173571735717357)<<1 | 1<<63}},
	} {
		problems := settings.Decode(in, fresh())
		if len(problems) == 0 || strings.Contains(fmt.Sprint(problems), "73571") {
			t.Errorf("%v: %+v", in, problems)
		}
	}
}
