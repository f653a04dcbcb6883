package external

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/trust"
	"github.com/barrelp2p/barrel/interfaces/wire"
)

// Trust makes a factory of a trust plugin in a process of its own. Its settings are a
// *plugin.Section. Whenever the process cannot answer, the answer is an error, which the
// handshake takes for a no.
func Trust(spec Spec, opts Options) trust.Factory {
	return plugin.Define(spec.Name, "a plugin in a process of its own", noSection,
		func(env trust.Env, section *plugin.Section) (trust.Plugin, error) {
			if err := spec.validate(); err != nil {
				return nil, err
			}
			f := &trustFacade{}
			f.guest = newGuest(spec, opts, env.Env, *section, []string{trust.Contract}, func(conn grpc.ClientConnInterface, said wire.Description) *wire.Trust {
				if !said.Can(wire.AbilityPins) {
					return wire.NewTrust(conn, nil)
				}
				return wire.NewTrust(conn, env.Pins)
			})
			return f, nil
		})
}

type trustFacade struct {
	*guest[*wire.Trust]
	deaf atomic.Int64 // until then, in Unix nanoseconds, hearsay is not asked about
}

// vetTime bounds what hearsay may hold up.
const vetTime = time.Second

var (
	_ trust.Plugin          = (*trustFacade)(nil)
	_ trust.Vetter          = (*trustFacade)(nil)
	_ plugin.Reloader       = (*trustFacade)(nil)
	_ plugin.HealthReporter = (*trustFacade)(nil)
	_ plugin.HealthTeller   = (*trustFacade)(nil)
	_ plugin.Hosted         = (*trustFacade)(nil)
	_ plugin.Replacer       = (*trustFacade)(nil)
	_ plugin.Facade         = (*trustFacade)(nil)
)

// Decide asks the plugin.
func (f *trustFacade) Decide(ctx context.Context, claim trust.Claim) error {
	_, err := call(ctx, f.guest, func(ctx context.Context, t *wire.Trust) (struct{}, error) {
		return struct{}{}, t.Decide(ctx, claim)
	})
	return err
}

// Vet asks the plugin about hearsay, if it has a word on it. While there is no process to
// ask, hearsay is not believed; nor is it for ten times as long as was waited in vain for
// an answer, because those who ask do nothing else meanwhile.
func (f *trustFacade) Vet(claim trust.Claim) error {
	if !f.Can(wire.AbilityVet) {
		return nil
	}
	begun := time.Now()
	if begun.UnixNano() < f.deaf.Load() {
		return f.named(fmt.Errorf("hearsay about %s is not asked about: there was no answer a moment ago: %w", claim.Node, ErrBusy))
	}
	_, err := callWithin(context.Background(), f.guest, min(f.runs().timeout(), vetTime), func(ctx context.Context, t *wire.Trust) (struct{}, error) {
		return struct{}{}, t.VetContext(ctx, claim)
	})
	if errors.Is(err, context.DeadlineExceeded) {
		now := time.Now()
		f.deaf.Store(now.Add(10 * now.Sub(begun)).UnixNano())
	}
	return err
}
