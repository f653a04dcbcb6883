package process

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

func TestDrainFinishesWhatBeganAndRefusesTheRest(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		proc, err := b.Spawn(Spec{Handle: func(context.Context, Message) (any, error) {
			time.Sleep(10 * time.Second) // virtual
			return []byte("done"), nil
		}})
		must(t, err)
		service := name.MustService("slow")
		must(t, b.Bind(service, proc.Ref()))
		begun := make(chan error, 2)
		call := func() {
			_, err := a.Call(t.Context(), ToName(name.MustNode("b@h"), service), nil)
			begun <- err
		}
		go call()
		synctest.Wait()
		drained := make(chan error, 1)
		go func() { drained <- b.Drain(t.Context()) }()
		synctest.Wait()
		go call()
		if err := <-begun; !errors.Is(err, ErrStopped) {
			t.Errorf("a call that came while draining: %v, want to be told that the node stops", err)
		}
		if err := <-begun; err != nil {
			t.Errorf("the call under way: %v, want its answer", err)
		}
		must(t, <-drained)
	})
}

func TestDrainGivesUpWithItsContext(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.node("b@h")
		proc, err := b.Spawn(Spec{Handle: func(ctx context.Context, _ Message) (any, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		must(t, err)
		must(t, b.Send(t.Context(), ToRef(proc.Ref()), nil))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("drain beside a handler that does not end: %v", err)
		}
		proc.Stop()
		must(t, b.Drain(t.Context()))
	})
}
