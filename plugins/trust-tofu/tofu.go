// Package trusttofu fills the trust slot with "trust on first use": the first key that
// proves itself under a name is pinned for that name, and from then on only that key
// is that node. A changed key is refused and never pinned; an operator says when a
// change is right.
//
// It is not a guarantee for the very first contact: whoever comes first under a name
// has the name. Where that is not good enough, use trust-strict. It keeps no pins of
// its own; the store is lent by the host.
//
// People come here through their configuration:
//
//	trust: {use: tofu}
package trusttofu

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// source is what stands in a pin that this plugin made.
const source = "tofu"

// Factory makes the plugin. It has no settings.
func Factory() trust.Factory {
	return plugin.Define("tofu", "pin the first key of each name, refuse every other", plugin.NoDefaults, build)
}

func build(env trust.Env, _ *plugin.NoSettings) (trust.Plugin, error) {
	return &tofu{self: env.Node, log: env.Log, pins: env.Pins}, nil
}

type tofu struct {
	self    name.Node
	log     *slog.Logger
	pins    trust.Pins
	running atomic.Bool
	// What went wrong when the store was last read, and when it was last written;
	// nil if nothing did.
	unread, unwritten atomic.Pointer[string]
}

var (
	_ trust.Plugin          = (*tofu)(nil)
	_ plugin.HealthReporter = (*tofu)(nil)
)

func (p *tofu) Start(context.Context) error { p.running.Store(true); return nil }

func (p *tofu) Stop(context.Context) error { p.running.Store(false); return nil }

func (p *tofu) Decide(ctx context.Context, claim trust.Claim) error {
	if err := p.decidable(ctx, claim); err != nil {
		return err
	}
	pin, found, err := p.pins.Lookup(claim.Node)
	p.note(&p.unread, "a pin cannot be read", err)
	switch {
	case err != nil:
		return p.undecided("read")
	case !found:
		return p.meet(ctx, claim)
	}
	return p.compare(claim, pin)
}

func (p *tofu) Health() plugin.Health {
	if !p.running.Load() {
		return plugin.Health{State: plugin.Stopped}
	}
	for _, trouble := range []*string{p.unread.Load(), p.unwritten.Load()} {
		if trouble != nil {
			return plugin.Health{State: plugin.Degraded, Detail: *trouble}
		}
	}
	return plugin.Health{State: plugin.Healthy}
}

func (p *tofu) decidable(ctx context.Context, claim trust.Claim) error {
	switch {
	case !p.running.Load():
		return fmt.Errorf("%s decides about nobody: its trust plugin is not running", p.self)
	case ctx.Err() != nil:
		return fmt.Errorf("%s did not decide about %s in time: %w", p.self, claim.Node, ctx.Err())
	case claim.Node.IsZero() || claim.Key.IsZero():
		return fmt.Errorf("%w: a claim of %q with a zero key or no name", trust.ErrUntrusted, claim.Node)
	}
	return nil
}

// meet pins the key of a name that has none. The pin comes first: a peer whose pin
// cannot be kept is refused, because it could not be told from another later.
func (p *tofu) meet(ctx context.Context, claim trust.Claim) error {
	if err := p.decidable(ctx, claim); err != nil {
		return err
	}
	err := p.pins.PinIfAbsent(claim.Node, claim.Key, source)
	switch {
	case errors.Is(err, trust.ErrKeyMismatch):
		return p.tooLate(claim)
	case errors.Is(err, trust.ErrUntrusted):
		return err // the store says that this peer cannot be pinned, not that it is broken
	}
	p.note(&p.unwritten, "a new peer could not be pinned", err)
	if err != nil {
		return p.undecided("write")
	}
	p.log.Info("pinned the key of a new peer",
		"peer", claim.Node, "fingerprint", claim.Key.Fingerprint(), "remote", claim.Remote, "dialed", claim.Dialed)
	return nil
}

// tooLate is for a claim of a name that another key got a moment ago.
func (p *tofu) tooLate(claim trust.Claim) error {
	pin, found, err := p.pins.Lookup(claim.Node)
	p.note(&p.unread, "a pin cannot be read", err)
	if err != nil || !found {
		return p.undecided("read")
	}
	return p.compare(claim, pin)
}

func (p *tofu) compare(claim trust.Claim, pin trust.Pin) error {
	if pin.Key == claim.Key {
		return nil
	}
	p.log.Warn("refused a changed key", "peer", claim.Node, "pinned", pin.Key.Fingerprint(),
		"shown", claim.Key.Fingerprint(), "pin_source", pin.Source, "remote", claim.Remote, "dialed", claim.Dialed)
	return fmt.Errorf("%w: %s knows %s by key %.16s..., not %.16s...: if that change is right, ask the operator of %s to run \"barrel trust add %s %s\"",
		trust.ErrKeyMismatch, p.self, claim.Node, pin.Key.Fingerprint(), claim.Key.Fingerprint(), p.self, claim.Node, claim.Key)
}

// undecided is what the peer is told about a store that does not work: not why, for
// that is full of paths and stands in the log and the health of this node.
func (p *tofu) undecided(verb string) error {
	return fmt.Errorf("%s cannot %s its pins: ask its operator to look at \"barrel status\"", p.self, verb)
}

// note keeps what is wrong for Health, and logs when it begins and when it ends.
func (p *tofu) note(trouble *atomic.Pointer[string], what string, err error) {
	if err == nil {
		if before := trouble.Swap(nil); before != nil {
			p.log.Info("pin store works again", "before", *before)
		}
		return
	}
	now := fmt.Sprintf("%s: %v", what, err)
	if before := trouble.Swap(&now); before == nil {
		p.log.Error("pin store does not work", "error", now)
	}
}
