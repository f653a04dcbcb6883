package core_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// The errors of a call keep their kind on their way from the other node.
func TestErrorsCrossTheWire(t *testing.T) {
	t.Parallel()
	f := newField(t)
	a, b := f.pair()
	offerEcho(t, b)
	offer(t, b, "vast", func(context.Context, core.Message) (any, error) { return make([]byte, maxPayload+1), nil })
	gone := offer(t, b, "gone", echo)
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		target, payload string
		kind            error
		words           string
	}{
		{"nobody@b@127.0.0.1", "", core.ErrNoProcess, "nobody@b@127.0.0.1"},
		{"gone@b@127.0.0.1", "", core.ErrNoProcess, "gone@b@127.0.0.1"},
		{gone.Ref().String(), "", core.ErrNoProcess, "it has ended"},
		{"echo@b@127.0.0.1", "panic", core.ErrPanicked, "as told"},
		{"vast@b@127.0.0.1", "", core.ErrTooLarge, "16777217 bytes"},
		{"nobody", "", core.ErrNotFound, "nobody@NODE"},
		{"echo@nowhere@127.0.0.1", "", discovery.ErrNotFound, "nowhere@127.0.0.1"},
		{"no such thing", "", name.ErrInvalid, "no such thing"},
		{"a@b@c@d", "", name.ErrInvalid, "b@c@d"},
	} {
		if _, err := call(t, a, c.target, c.payload); !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.words) {
			t.Errorf("call %s: %v, want %v with %q in it", c.target, err, c.kind, c.words)
		}
	}
	var remote *core.RemoteError
	if _, err := call(t, a, "echo@b@127.0.0.1", "fail"); !errors.As(err, &remote) || remote.Node != b.Name() || remote.Text != "as told" {
		t.Errorf("what the handler said: %v", err)
	}
	if _, err := call(t, b, "echo", "fail"); !errors.As(err, &remote) || remote.Node != b.Name() {
		t.Errorf("the same on the same node: %v", err)
	}
}

// The deadline of a caller is that of the handler, and who gives up is not worked for
// any longer.
func TestDeadlinesCrossTheWire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.boot(named(seed1)+table), w.boot(named(seed2)+table)
		ended := make(chan error, 2)
		offer(t, b, "wait", func(ctx context.Context, _ core.Message) (any, error) {
			if _, has := ctx.Deadline(); !has {
				ended <- errors.New("no deadline")
			}
			<-ctx.Done()
			ended <- ctx.Err()
			return nil, ctx.Err()
		})
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := a.Call(ctx, "wait@"+seed2, nil)
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != time.Second {
			t.Errorf("after %v: %v, want the deadline of 1s", took, err)
		}
		if err := <-ended; !isEither(err, context.DeadlineExceeded, context.Canceled) {
			t.Errorf("the handler ended with %v", err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), time.Hour)
		time.AfterFunc(time.Second, cancel)
		if _, err := a.Call(ctx, "wait@"+seed2, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("after giving up: %v", err)
		}
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the handler ended with %v", err)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("the handler heard of it after %v", took)
		}
	})
}

func isEither(err error, kinds ...error) bool {
	for _, kind := range kinds {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// A thousand calls at the same time, both ways, get the answers that are theirs.
func TestAThousandCallsAtOnce(t *testing.T) {
	t.Parallel()
	f := newField(t)
	a, b := f.pair()
	offerEcho(t, a)
	offerEcho(t, b)
	var calls sync.WaitGroup
	began := time.Now()
	for i := range 1000 {
		calls.Go(func() {
			from, target := a, "echo@b@127.0.0.1"
			if i%2 == 1 {
				from, target = b, "echo@a@127.0.0.1"
			}
			payload := strconv.Itoa(i)
			if out, err := call(t, from, target, payload); err != nil || out != "echo: "+payload {
				t.Errorf("call %d: %q, %v", i, out, err)
			}
		})
	}
	calls.Wait()
	within(t, "1,000 calls", began, patience)
}

// Messages of one sender arrive in the order in which they were sent, each once.
func TestMessagesKeepTheirOrder(t *testing.T) {
	t.Parallel()
	f := newField(t)
	a, b := f.pair()
	const count = 2000
	var got []string
	done := make(chan struct{})
	offer(t, b, "log", func(_ context.Context, m core.Message) (any, error) {
		if got = append(got, string(m.Bytes())); len(got) == count {
			close(done)
		}
		if m.Call || m.From.Node != a.Name() {
			return nil, fmt.Errorf("a call from %s", m.From)
		}
		return nil, nil
	})
	for i := range count {
		if err := a.Send(t.Context(), "log@b@127.0.0.1", []byte(strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("not all messages arrived")
	}
	for i, text := range got {
		if text != strconv.Itoa(i) {
			t.Fatalf("message %d is %s", i, text)
		}
	}
}

// So do those for a service that is served over the control socket, though it answers
// several calls at the same time.
func TestMessagesOverTheSocketKeepTheirOrder(t *testing.T) {
	t.Parallel()
	f := newField(t)
	a, b := f.pair()
	const count = 2000
	got, calls := make(chan string, count), make(chan struct{})
	handle := func(ctx context.Context, d admin.Delivery) ([]byte, error) {
		if d.Call {
			calls <- struct{}{}
			<-ctx.Done()
			return nil, ctx.Err()
		}
		got <- string(d.Payload)
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	ready := make(chan struct{})
	var serving sync.WaitGroup
	serving.Go(func() {
		_ = adminOf(t, b).Serve(ctx, name.MustService("log"), nil, func(admin.Instance) { close(ready) }, handle) // ends with ctx
	})
	<-ready
	for range 2 { // both are under way at once
		serving.Go(func() { _, _ = a.Call(ctx, "log@b@127.0.0.1", nil) }) // ends with ctx
	}
	for range 2 {
		<-calls
	}
	for i := range count {
		if err := a.Send(ctx, "log@b@127.0.0.1", []byte(strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
	}
	for i := range count {
		if text := <-got; text != strconv.Itoa(i) {
			t.Fatalf("message %d is %s", i, text)
		}
	}
	cancel()
	serving.Wait()
}

const maxPayload = 16 << 20

// A payload of 16 MiB goes both ways; one byte more is refused before it is sent.
func TestTheLargestPayload(t *testing.T) {
	t.Parallel()
	f := newField(t)
	a, b := f.pair()
	offer(t, b, "back", func(_ context.Context, m core.Message) (any, error) { return m.Bytes(), nil })
	payload := bytes.Repeat([]byte("0123456789abcdef"), maxPayload/16)
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := a.Call(ctx, "back@b@127.0.0.1", payload)
	if err != nil || !bytes.Equal(out, payload) {
		t.Errorf("%d bytes back, %v", len(out), err)
	}
	within(t, "16 MiB there and back", began, time.Minute)
	if _, err := a.Call(ctx, "back@b@127.0.0.1", append(payload, 'x')); !errors.Is(err, core.ErrTooLarge) {
		t.Errorf("one byte more: %v", err)
	}
	if err := a.Send(ctx, "back@b@127.0.0.1", append(payload, 'x')); !errors.Is(err, core.ErrTooLarge) {
		t.Errorf("one byte more: %v", err)
	}
}

// A node finds what it offers itself, with what it said about it, until it takes it back.
func TestServicesOfThisNode(t *testing.T) {
	t.Parallel()
	f := newField(t)
	n := f.start("a@127.0.0.1")
	service, meta := name.MustService("printer"), map[string]string{"floor": "2"}
	first, err := n.Register(t.Context(), service, meta, echo)
	if err != nil {
		t.Fatal(err)
	}
	second := offer(t, n, "printer", echo)
	found := n.Lookup(service)
	if len(found) != 2 || found[0].Ref != first.Ref() || !maps.Equal(found[0].Meta, meta) {
		t.Errorf("found %+v", found)
	}
	control := adminOf(t, n)
	at, err := control.Whereis(t.Context(), service, 0)
	if err != nil || at.Ref != first.Ref() || !at.Local || at.Since.IsZero() {
		t.Errorf("whereis: %+v, %v", at, err)
	}
	if out, err := call(t, n, "printer", "x"); err != nil || out != "echo: x" {
		t.Errorf("call: %q, %v", out, err)
	}
	for _, r := range []*core.Registration{first, first, second} {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if found := n.Lookup(service); len(found) > 0 || control.Status().Services != 0 {
		t.Errorf("after it was taken back: %+v", found)
	}
	if _, err := call(t, n, "printer", "x"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("call: %v", err)
	}
	if _, err := call(t, n, first.Ref().String(), "x"); !errors.Is(err, core.ErrNoProcess) {
		t.Errorf("call: %v", err)
	}
}
