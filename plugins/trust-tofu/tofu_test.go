package trusttofu

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
	plugintest.Trust(t, plugintest.TrustHarness{AcceptsUnknown: true, New: create})
}

func create(t plugintest.T, env trust.Env) trust.Plugin {
	t.Helper()
	p, err := Factory().New(env, Factory().Settings())
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return p
}

// start returns a running plugin, its store, and what it logs.
func start(t *testing.T) (trust.Plugin, *plugintest.TrustPins, *bytes.Buffer) {
	t.Helper()
	log := &bytes.Buffer{}
	env := trust.Env{Env: plugintest.Env(t, "self@10.0.0.9"), Pins: plugintest.NewTrustPins()}
	env.Log = slog.New(slog.NewTextHandler(log, nil))
	p := create(t, env)
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p, env.Pins.(*plugintest.TrustPins), log
}

func claimOf(node string, first byte) trust.Claim {
	return trust.Claim{Node: name.MustNode(node), Key: trust.Key{first}, Remote: name.MustAddress("192.0.2.1:7")}
}

func TestPinSaysWhoMadeIt(t *testing.T) {
	p, pins, log := start(t)
	if err := p.Decide(t.Context(), claimOf("a@h", 1)); err != nil {
		t.Fatal(err)
	}
	if all := pins.All(); len(all) != 1 || all[0].Source != "tofu" {
		t.Errorf("pins %v", all)
	}
	if !strings.Contains(log.String(), trust.Key{1}.Fingerprint()) {
		t.Errorf("log without fingerprint: %s", log)
	}
}

func TestChangedKeyIsLoggedAndExplained(t *testing.T) {
	p, pins, log := start(t)
	pins.Put(name.MustNode("a@h"), trust.Key{1}, "operator")
	err := p.Decide(t.Context(), claimOf("a@h", 2))
	if !errors.Is(err, trust.ErrKeyMismatch) {
		t.Fatal(err)
	}
	command := fmt.Sprintf(`ask the operator of self@10.0.0.9 to run "barrel trust add a@h %s"`, trust.Key{2})
	if !strings.Contains(err.Error(), command) {
		t.Errorf("no next step in %q", err)
	}
	for _, want := range []string{trust.Key{1}.Fingerprint(), trust.Key{2}.Fingerprint(), "192.0.2.1:7", "peer=a@h"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("log without %s: %s", want, log)
		}
	}
}

func TestPeerLearnsNoPaths(t *testing.T) {
	p, pins, log := start(t)
	pins.FailReads(errors.New("/var/lib/barrel/keys: input/output error"))
	for range 3 {
		if err := p.Decide(t.Context(), claimOf("a@h", 1)); err == nil || strings.Contains(err.Error(), "/var") {
			t.Errorf("told the peer %v", err)
		}
	}
	if n := strings.Count(log.String(), "/var/lib/barrel/keys"); n != 1 {
		t.Errorf("logged %d times, want once: %s", n, log)
	}
}

func TestUnwritableStoreShowsUntilAPinIsWritten(t *testing.T) {
	p, pins, _ := start(t)
	pins.Put(name.MustNode("a@h"), trust.Key{1}, "operator")
	health := p.(plugin.HealthReporter)
	pins.FailWrites(errors.New("no space left on device"))
	if err := p.Decide(t.Context(), claimOf("b@h", 2)); err == nil {
		t.Error("accepted without a pin")
	}
	if err := p.Decide(t.Context(), claimOf("a@h", 1)); err != nil {
		t.Errorf("pinned peer refused: %v", err)
	}
	got := health.Health()
	if got.State != plugin.Degraded || got.Detail != "a new peer could not be pinned: no space left on device" {
		t.Errorf("health %v", got)
	}
	pins.FailWrites(nil)
	if err := p.Decide(t.Context(), claimOf("b@h", 2)); err != nil {
		t.Error(err)
	}
	if got := health.Health(); got.State != plugin.Healthy {
		t.Errorf("health %v", got)
	}
}

func TestPeerThatCannotBePinnedIsNoFaultOfTheStore(t *testing.T) {
	p, pins, _ := start(t)
	pins.FailWrites(fmt.Errorf("%w: name is too long", trust.ErrUntrusted))
	if err := p.Decide(t.Context(), claimOf("b@h", 2)); !errors.Is(err, trust.ErrUntrusted) {
		t.Errorf("%v", err)
	}
	if got := p.(plugin.HealthReporter).Health(); got.State != plugin.Healthy {
		t.Errorf("health %v", got)
	}
}
