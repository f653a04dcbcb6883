package external

import (
	"context"

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

type trustFacade struct{ *guest[*wire.Trust] }

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

// Vet asks the plugin about hearsay, if it has a word on it; while there is no process
// to ask, hearsay is not believed.
func (f *trustFacade) Vet(claim trust.Claim) error {
	if !f.Can(wire.AbilityVet) {
		return nil
	}
	_, err := call(context.Background(), f.guest, func(_ context.Context, t *wire.Trust) (struct{}, error) {
		return struct{}{}, t.Vet(claim)
	})
	return err
}
