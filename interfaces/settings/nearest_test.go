package settings_test

import (
	"testing"

	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/settings"
)

func TestNearest(t *testing.T) {
	known := []string{"listen", "advertise", "heartbeat", "idle_timeout", "use", "quic", "dns"}
	for word, want := range map[string]string{
		"lsiten": "listen", "listne": "listen", "listenn": "listen", "lsten": "listen", "Listen": "listen", "LISTEN": "listen",
		"idle-timeout": "idle_timeout", "idletimeout": "idle_timeout", "idle_timout": "idle_timeout", "heartbeet": "heartbeat",
		"qiuc": "quic", "usr": "use", "dsn": "dns", "port": "", "x": "", "": "", "something": "", "ad": "",
	} {
		if got := settings.Nearest(word, known); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}

func TestPlaceOfAnUnknownKey(t *testing.T) {
	for _, c := range []struct {
		problem plugin.Problem
		want    string
	}{
		{settings.Unknown("discovery.static", "refersh", nil), "discovery.static.refersh"},
		{settings.Unknown("", `we"ird`, nil), `we"ird`},
		{plugin.Problem{Path: "a[1].b", Text: "is wrong"}, "a[1].b"},
		{plugin.Problem{Path: "a", Text: "unknown key oops"}, "a"},
	} {
		if got := settings.Place(c.problem); got != c.want {
			t.Errorf("%+v: %q, want %q", c.problem, got, c.want)
		}
	}
}
