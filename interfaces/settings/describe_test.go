package settings_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/settings"
)

func TestDescribe(t *testing.T) {
	root := settings.Describe(fresh())
	cases := []struct {
		key  string
		want settings.Field
	}{
		{"text", settings.Field{Kind: settings.KindText, Word: "text", Help: "some text", Value: "default"}},
		{"port", settings.Field{Kind: settings.KindInteger, Word: "whole number", Value: uint64(0), Bits: 16, Natural: true}},
		{"wait", settings.Field{Kind: settings.KindDuration, Word: "duration", Value: "1m"}},
		{"color", settings.Field{Kind: settings.KindText, Word: "text", Value: "red", Choices: []string{"red", "green"}}},
		{"node", settings.Field{Kind: settings.KindWord, Word: "node", Value: ""}},
		{"token", settings.Field{Kind: settings.KindText, Word: "text", Value: "", Secret: true}},
	}
	for _, c := range cases {
		c.want.Name = c.key
		if got, ok := root.Child(c.key); !ok || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s\n got %+v\nwant %+v", c.key, got, c.want)
		}
	}
	nodes, _ := root.Child("nodes")
	if nodes.Word != "map of list of address" || nodes.Item.Kind != settings.KindList || nodes.Item.Item.Word != "address" {
		t.Errorf("nodes: %+v", nodes)
	}
	entries, _ := root.Child("entries")
	if timeout, _ := entries.Item.Child("timeout"); timeout.Value != "1s" {
		t.Errorf("an entry starts with timeout %v", timeout.Value)
	}
	if tokens, _ := root.Child("tokens"); !tokens.Item.Secret {
		t.Error("what is in a secret map is no secret")
	}
	if _, ok := root.Child("NoTag"); ok {
		t.Error("a field without a tag is described")
	}
}

func TestDurationText(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", time.Minute: "1m", time.Hour: "1h", 90 * time.Second: "1m30s", 10 * time.Minute: "10m",
		90 * time.Minute: "1h30m", time.Hour + time.Second: "1h0m1s", 1500 * time.Millisecond: "1.5s", -time.Minute: "-1m", 20 * time.Hour: "20h",
	} {
		if got := settings.DurationText(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestDecodeRefusesWhatIsNoStruct(t *testing.T) {
	for _, into := range []any{nil, everything{}, new(int), (*everything)(nil)} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("decoded into a %T", into)
				}
			}()
			settings.Decode(nil, into)
		}()
	}
}

func TestUnsupportedTypeIsAProblem(t *testing.T) {
	v := struct {
		C chan int `setting:"c"`
	}{}
	problems := settings.Decode(map[string]any{"c": 1}, &v)
	if len(problems) != 1 || problems[0].Text != "a setting of type chan int is not supported" {
		t.Errorf("%+v", problems)
	}
}
