package wire_test

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/proto/pluginv1"
	"github.com/barrelp2p/barrel/interfaces/proto/trustv1"
	"github.com/barrelp2p/barrel/interfaces/trust"
	"github.com/barrelp2p/barrel/interfaces/wire"
)

type oracle struct {
	trustv1.UnimplementedTrustServer

	answer *trustv1.DecideResponse
}

func (o oracle) Decide(context.Context, *trustv1.DecideRequest) (*trustv1.DecideResponse, error) {
	return o.answer, nil
}

// Everything but a clear yes is a no, and a yes with a reason against it is none.
func TestOnlyAClearYesIsAYes(t *testing.T) {
	untrusted := &pluginv1.Error{Kind: pluginv1.Error_UNTRUSTED}
	tests := map[string]struct {
		answer *trustv1.DecideResponse
		want   error
	}{
		"yes":           {&trustv1.DecideResponse{Accepted: true}, nil},
		"nothing":       {&trustv1.DecideResponse{}, wire.ErrMalformed},
		"no":            {&trustv1.DecideResponse{Error: untrusted}, trust.ErrUntrusted},
		"yes and no":    {&trustv1.DecideResponse{Accepted: true, Error: untrusted}, trust.ErrUntrusted},
		"another key":   {&trustv1.DecideResponse{Error: &pluginv1.Error{Kind: pluginv1.Error_KEY_MISMATCH}}, trust.ErrKeyMismatch},
		"yes and empty": {&trustv1.DecideResponse{Accepted: true, Error: &pluginv1.Error{}}, errAny},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			conn, end, err := wire.InMemory(t.Context(), func(s grpc.ServiceRegistrar) {
				wire.Serve(s, fixed())
				trustv1.RegisterTrustServer(s, oracle{answer: test.answer})
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(end)
			err = wire.NewTrust(conn, nil).Decide(t.Context(), trust.Claim{Node: name.MustNode("a@h"), Key: trust.Key{1}})
			if (err == nil) != (test.want == nil) || test.want != errAny && !errors.Is(err, test.want) { //nolint:errorlint // errAny is a mark
				t.Errorf("%v, want %v", err, test.want)
			}
		})
	}
}

var errAny = errors.New("any error")

// greedy pins whatever it likes.
type greedy struct{ pins trust.Pins }

func (greedy) Start(context.Context) error { return nil }
func (greedy) Stop(context.Context) error  { return nil }

func (g greedy) Decide(_ context.Context, claim trust.Claim) error {
	return errors.Join(
		g.pins.PinIfAbsent(claim.Node, claim.Key, "test"),
		g.pins.PinIfAbsent(name.MustNode("victim@h"), claim.Key, "test"),
	)
}

func TestAPluginPinsOnlyWhatItDecides(t *testing.T) {
	lent, store := wire.NewLentPins(), plugintest.NewTrustPins()
	var decider trust.Plugin = greedy{lent}
	conn, end, err := wire.InMemory(t.Context(), func(s grpc.ServiceRegistrar) {
		wire.Serve(s, wire.Fixed(plugin.Trust, trust.Contract, decider))
		wire.ServeTrust(s, wire.Hold(decider), lent)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	half := wire.NewTrust(conn, store)
	if _, _, err := lent.Lookup(name.MustNode("a@h")); err == nil {
		t.Error("the pins are lent before Start")
	}
	if err := half.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	claim := trust.Claim{Node: name.MustNode("a@h"), Key: trust.Key{1}}
	if err := half.Decide(t.Context(), claim); err == nil {
		t.Error("the victim was pinned")
	}
	if pins := store.All(); len(pins) != 1 || pins[0].Node != claim.Node {
		t.Errorf("pins %v", pins)
	}
	if err := lent.PinIfAbsent(claim.Node, claim.Key, "later"); err == nil {
		t.Error("pinned without a claim")
	}
	pin, found, err := lent.Lookup(claim.Node)
	if err != nil || !found || pin.Key != claim.Key || pin.Source != "test" || pin.Pinned.IsZero() {
		t.Errorf("pin %+v, %v, %v", pin, found, err)
	}
	store.FailReads(errors.New("input/output error"))
	if _, _, err := lent.Lookup(claim.Node); err == nil {
		t.Error("an unreadable store answered")
	}
	if err := half.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := lent.Lookup(claim.Node); err == nil {
		t.Error("the pins are lent after Stop")
	}
}
