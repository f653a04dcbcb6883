package settings_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/barrelp2p/barrel/interfaces/settings"
)

// textual makes texts come in as from the environment.
func textual(v any) any {
	switch v := v.(type) {
	case string:
		return settings.Text(v)
	case map[string]any:
		for key := range v {
			v[key] = textual(v[key])
		}
	case []any:
		for i := range v {
			v[i] = textual(v[i])
		}
	}
	return v
}

// FuzzDecode: no input panics, every problem says something, and what decodes without
// a problem can be written down and read back as it was.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"text": "a", "flag": true, "int": -1, "port": 1, "ratio": 0.5, "wait": "1h1s", "node": "a@b", "list": ["x"]}`,
		`{"nodes": {"a@[fd00::1]": ["h:1"]}, "entries": {"a.b[0]": {"command": "c"}}, "inner": {"low": 1}, "tokens": {"x": 1}}`,
		`{"list": "a,b", "numbers": "[1,2]", "env": "{\"a\": \"b\"}", "wait": "5 min", "rows": [null, {"command": 1}]}`,
		`{"txet": null, "": {"": []}, "wait": 1e400, "int": 99999999999999999999}`,
	} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, text string, asText bool) {
		dec := json.NewDecoder(strings.NewReader(text))
		dec.UseNumber()
		var in any
		if dec.Decode(&in) != nil {
			return
		}
		if asText {
			in = textual(in)
		}
		got := fresh()
		problems := settings.Decode(in, got)
		for _, p := range problems {
			if p.Text == "" {
				t.Errorf("a problem that says nothing: %+v", p)
			}
			settings.Place(p)
		}
		if len(problems) > 0 {
			return
		}
		again := fresh()
		if problems := settings.Decode(settings.Plain(got), again); len(problems) > 0 || !reflect.DeepEqual(settings.Plain(got), settings.Plain(again)) {
			t.Errorf("read back\n got %+v\nwant %+v\n%+v", again, got, problems)
		}
	})
}
