// Package truststrict fills the trust slot with "only whom an operator named": a peer
// is accepted if its key is pinned for its name, and nothing is ever pinned by itself.
//
// It keeps no pins of its own; the store is lent by the host, and what an operator
// adds to it counts at the next handshake.
//
// People come here through their configuration:
//
//	trust: {use: strict}
package truststrict

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// Factory makes the plugin. It has no settings.
func Factory() trust.Factory {
	return plugin.Define("strict", "accept pinned keys only, pin nothing", plugin.NoDefaults, build)
}

func build(env trust.Env, _ *plugin.NoSettings) (trust.Plugin, error) {
	s := &strict{self: env.Node, log: env.Log, pins: env.Pins}
	s.health.Store(&plugin.Health{State: plugin.New})
	return s, nil
}

type strict struct {
	self   name.Node
	log    *slog.Logger
	pins   trust.Pins
	health atomic.Pointer[plugin.Health] // never nil; it also says whether Start was called
}

var (
	_ trust.Plugin          = (*strict)(nil)
	_ trust.Vetter          = (*strict)(nil)
	_ plugin.HealthReporter = (*strict)(nil)
)

func (s *strict) Start(context.Context) error {
	s.health.Store(&plugin.Health{State: plugin.Healthy})
	return nil
}

func (s *strict) Stop(context.Context) error {
	s.health.Store(&plugin.Health{State: plugin.Stopped})
	return nil
}

func (s *strict) Health() plugin.Health { return *s.health.Load() }

func (s *strict) Decide(ctx context.Context, claim trust.Claim) error {
	before := s.health.Load()
	if before.State != plugin.Healthy && before.State != plugin.Degraded {
		return fmt.Errorf("%s cannot decide: its trust plugin is %s", s.self, before.State)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s had no time left to decide about %s: %w", s.self, claim.Node, err)
	}
	if claim.Key.IsZero() || claim.Node.IsZero() {
		return fmt.Errorf("%w: nothing to decide about: name %q, key %s", trust.ErrUntrusted, claim.Node, claim.Key)
	}
	pin, found, err := s.pins.Lookup(claim.Node)
	s.remember(before, err)
	if err != nil {
		// Why stands in the health and the log of this node: it is full of paths, and
		// this text travels to the peer.
		return fmt.Errorf("%s cannot read its pins: its operator finds the reason with \"barrel status\"", s.self)
	}
	return s.judge(claim, pin, found)
}

// Vet believes hearsay of pinned keys only.
func (s *strict) Vet(claim trust.Claim) error {
	pin, found, err := s.pins.Lookup(claim.Node)
	switch {
	case err != nil:
		return fmt.Errorf("%s cannot read its pins: %w", s.self, err)
	case !found:
		return fmt.Errorf("%w: %s has no pin for %s", trust.ErrUntrusted, s.self, claim.Node)
	case pin.Key != claim.Key:
		return fmt.Errorf("%w: %s has another pin for %s", trust.ErrKeyMismatch, s.self, claim.Node)
	}
	return nil
}

func (s *strict) judge(claim trust.Claim, pin trust.Pin, found bool) error {
	shown := claim.Key.Fingerprint()
	add := fmt.Sprintf("ask the operator of %s to run \"barrel trust add %s %s\"", s.self, claim.Node, claim.Key)
	switch {
	case !found:
		s.log.Warn("refused an unknown peer", "peer", claim.Node, "shown", shown,
			"remote", claim.Remote, "dialed", claim.Dialed)
		return fmt.Errorf("%w %.16s... of %s: %s has no pin for that name: %s",
			trust.ErrUntrusted, shown, claim.Node, s.self, add)
	case pin.Key != claim.Key:
		pinned := pin.Key.Fingerprint()
		s.log.Warn("refused a key that differs from the pinned one", "peer", claim.Node, "shown", shown,
			"pinned", pinned, "remote", claim.Remote, "dialed", claim.Dialed)
		return fmt.Errorf("%w: %s has pinned %.16s... for %s and was shown %.16s...: if the new key is right, %s",
			trust.ErrKeyMismatch, s.self, pinned, claim.Node, shown, add)
	}
	return nil
}

// remember turns the outcome of a lookup into health, and logs where it changes. A
// stop that came meanwhile wins.
func (s *strict) remember(before *plugin.Health, err error) {
	now := &plugin.Health{State: plugin.Healthy}
	if err != nil {
		now = &plugin.Health{State: plugin.Degraded, Detail: fmt.Sprintf("a pin cannot be read: %v", err)}
	}
	if *now == *before || !s.health.CompareAndSwap(before, now) {
		return
	}
	s.log.Warn("pin store changed its state", "state", now.State, "detail", now.Detail)
}
