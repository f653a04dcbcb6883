package core_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/core/machine/handshake"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// verdict is a trust plugin of an embedder's own.
type verdict func(context.Context, trust.Claim) error

func (verdict) Start(context.Context) error { return nil }
func (verdict) Stop(context.Context) error  { return nil }

func (v verdict) Decide(ctx context.Context, claim trust.Claim) error { return v(ctx, claim) }

// Trust that cannot answer, for whatever reason, says no, and its reasons are its own.
func TestTrustThatCannotAnswerSaysNo(t *testing.T) {
	t.Parallel()
	for what, v := range map[string]verdict{
		"fails":  func(context.Context, trust.Claim) error { return errors.New("the vault is sealed") },
		"panics": func(context.Context, trust.Claim) error { panic("the vault is sealed") },
		"hangs": func(ctx context.Context, _ trust.Claim) error {
			<-ctx.Done()
			return fmt.Errorf("the vault is sealed: %w", ctx.Err())
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			f := newField(t)
			a := f.run(f.make(f.load("a@127.0.0.1", t.TempDir(), "auth.handshake_timeout=2s"),
				core.WithTrust("mine", core.Value[trust.Env](trust.Plugin(v)))))
			b := f.start("b@127.0.0.1")
			atA, atB := record(t, a), record(t, b)
			err := refused(t, b, a)
			if what != "hangs" && !errors.Is(err, handshake.ErrUnavailable) {
				t.Errorf("join: %v, want that trust could not decide", err)
			}
			if strings.Contains(err.Error(), "vault") {
				t.Errorf("the stranger was told %v", err)
			}
			told(t, atA, b.Name(), map[string]string{"fails": "vault", "panics": "vault", "hangs": "2s"}[what])
			told(t, atB, a.Name())
			nobodyBesides(t, a, atA)
		})
	}
}
