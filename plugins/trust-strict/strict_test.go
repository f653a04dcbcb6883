package truststrict

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

func TestConformance(t *testing.T) {
	plugintest.Trust(t, plugintest.TrustHarness{New: create})
}

func create(t plugintest.T, env trust.Env) trust.Plugin {
	t.Helper()
	p, err := Factory().New(env, Factory().Settings())
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return p
}

func TestRefusalsSayWhatToRun(t *testing.T) {
	shown, pinned := trust.Key{2}, trust.Key{1}
	add := fmt.Sprintf(`ask the operator of self@10.0.0.9 to run "barrel trust add a@h %s"`, shown)
	cases := map[string]struct {
		pin    bool
		reason error
		logged []string
	}{
		"unknown": {false, trust.ErrUntrusted, []string{"peer=a@h", shown.Fingerprint(), "192.0.2.1:7"}},
		"changed": {true, trust.ErrKeyMismatch, []string{"peer=a@h", shown.Fingerprint(), pinned.Fingerprint(), "192.0.2.1:7"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p, pins, log := start(t)
			if c.pin {
				pins.Put(peer(), pinned, "operator")
			}
			err := p.Decide(t.Context(), trust.Claim{Node: peer(), Key: shown, Remote: remote()})
			if !errors.Is(err, c.reason) || !strings.Contains(err.Error(), add) {
				t.Errorf("refused with %v", err)
			}
			for _, want := range c.logged {
				if !strings.Contains(log.String(), want) {
					t.Errorf("log without %s: %s", want, log)
				}
			}
		})
	}
}

func TestPeerLearnsNoPaths(t *testing.T) {
	p, pins, log := start(t)
	pins.FailReads(errors.New("/var/lib/barrel/keys: input/output error"))
	for range 3 {
		err := p.Decide(t.Context(), trust.Claim{Node: peer(), Key: trust.Key{1}})
		if err == nil || strings.Contains(err.Error(), "/var") {
			t.Errorf("told the peer %v", err)
		}
	}
	if n := strings.Count(log.String(), "/var/lib/barrel/keys"); n != 1 {
		t.Errorf("logged %d times, want once: %s", n, log)
	}
	health := p.(plugin.HealthReporter).Health()
	if health.State != plugin.Degraded || !strings.Contains(health.Detail, "/var/lib/barrel/keys") {
		t.Errorf("health %v", health)
	}
}

func start(t *testing.T) (trust.Plugin, *plugintest.TrustPins, *bytes.Buffer) {
	t.Helper()
	log, pins := &bytes.Buffer{}, plugintest.NewTrustPins()
	env := trust.Env{Env: plugintest.Env(t, "self@10.0.0.9"), Pins: pins}
	env.Log = slog.New(slog.NewTextHandler(log, nil))
	p := create(t, env)
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p, pins, log
}

func peer() name.Node      { return name.MustNode("a@h") }
func remote() name.Address { return name.MustAddress("192.0.2.1:7") }
