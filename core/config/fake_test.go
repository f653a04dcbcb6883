package config

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// The plugins of these tests: a bit of everything that settings can be.

type quicSettings struct {
	Listen      string        `setting:"listen" help:"UDP address to listen on"`
	Heartbeat   time.Duration `setting:"heartbeat" help:"time between heartbeats"`
	IdleTimeout time.Duration `setting:"idle_timeout" help:"when a silent peer is given up"`
	CertDays    int           `setting:"cert_days" help:"how long a certificate is good, in days"`
	CertFile    string        `setting:"cert_file" help:"certificate of one's own, PEM"`
}

func (s *quicSettings) Validate() []plugin.Problem {
	if s.IdleTimeout <= s.Heartbeat {
		return []plugin.Problem{{Path: "idle_timeout", Text: "is not longer than heartbeat", Hint: "make it three times as long"}}
	}
	return nil
}

type staticSettings struct {
	Nodes   map[name.Node][]name.Address `setting:"nodes" help:"where each node is"`
	Refresh time.Duration                `setting:"refresh" help:"when to look again"`
}

type dnsSettings struct {
	Port    uint16        `setting:"port" help:"UDP port of every node"`
	Timeout time.Duration `setting:"timeout" help:"for one question"`
	Server  string        `setting:"server" help:"host:port of a name server; empty: those of the system"`
	Token   string        `setting:"token" help:"what the server wants to see" secret:"true"`
}

type fileSettings struct {
	Dir string `setting:"dir" help:"directory; empty: discovery below the data directory"`
}

func testSlots() []Slot {
	return []Slot{
		{Kind: plugin.Transport, Default: []string{"quic"}, Plugins: []Plugin{
			{Name: "quic", Summary: "QUIC over one UDP port", Settings: func() any {
				return &quicSettings{Listen: ":0", Heartbeat: time.Second, IdleTimeout: 3 * time.Second, CertDays: 365}
			}},
			{Name: "memory", Summary: "within one process, for tests"},
		}},
		{Kind: plugin.Discovery, Chain: true, Default: []string{"static", "file", "dns"}, Plugins: []Plugin{
			{Name: "static", Summary: "a table in the settings", Settings: func() any { return &staticSettings{Refresh: time.Minute} }},
			{Name: "file", Summary: "a directory that nodes share", Settings: func() any { return &fileSettings{} }},
			{Name: "dns", Summary: "the host part of the name", Settings: func() any { return &dnsSettings{Port: 9100, Timeout: 5 * time.Second} }},
		}},
		{Kind: plugin.Trust, Default: []string{"tofu"}, Plugins: []Plugin{
			{Name: "tofu", Summary: "pin at first contact"}, {Name: "strict", Summary: "pinned beforehand"},
		}},
		{Kind: plugin.Membership, Default: []string{"full"}, Plugins: []Plugin{{Name: "full", Summary: "everyone knows everyone"}}},
		{Kind: plugin.Registry, Default: []string{"memory"}, Plugins: []Plugin{{Name: "memory", Summary: "of this node"}}},
	}
}

// write puts a text into a file of the given name.
func write(t testing.TB, file, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), file)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// parsed is a file layer from a text.
func parsed(file, text string) *layer {
	l := newLayer(Origin{Layer: LayerFile, Name: file})
	l.parse([]byte(text))
	return l
}

// loadText loads a text as if it were in a file of that name, with nothing else.
func loadText(file, text string) (*Config, error) {
	return load(Sources{}, parsed(file, text), testSlots())
}

func mustLoad(t testing.TB, src Sources, file, text string) *Config {
	t.Helper()
	c, err := load(src, parsed(file, text), testSlots())
	if err != nil {
		t.Fatalf("load:\n%v", err)
	}
	return c
}
