package plugintest

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"time"

	"github.com/barrelp2p/barrel/interfaces/transport"
)

// The checks of Transport that are about streams.

func streamOrder(t T, h TransportHarness) {
	d := h.duo(t)
	near, far := d.stream()
	var all []byte
	for i := range uint32(5000) {
		all = binary.BigEndian.AppendUint32(all, i)
	}
	errs := make(chan error, 1)
	d.bound(near)
	go func() {
		for rest := all; len(rest) > 0; {
			n, err := near.Write(rest[:min(100, len(rest))])
			if err != nil {
				errs <- err
				return
			}
			rest = rest[n:]
		}
		errs <- nil
	}()
	d.expect(far, all)
	if err := <-errs; err != nil {
		t.Errorf("Write: %v", err)
	}
}

func streamHalfClose(t T, h TransportHarness) {
	d := h.duo(t)
	near, far := d.stream()
	d.write(near, []byte("question"))
	if err := near.CloseWrite(); err != nil {
		t.Fatalf("CloseWrite: %v", err)
	}
	d.expect(far, []byte("question"))
	d.bound(far)
	if n, err := far.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("Read after the peer's CloseWrite: %d, %v; want io.EOF", n, err)
	}
	d.write(far, []byte("answer"))
	d.expect(near, []byte("answer"))
}

func expectReset(t T, what string, err error, remote bool) {
	t.Helper()
	got, ok := errors.AsType[*transport.ResetError](err)
	if !ok || got.Remote != remote || got.Code != transport.CloseBusy {
		t.Errorf("%s: %v; want a ResetError with code busy and remote %v", what, err, remote)
	}
}

func streamReset(t T, h TransportHarness) {
	d := h.duo(t)
	near, far := d.stream()
	near.Reset(transport.CloseBusy)
	near.Reset(transport.CloseProtocol)
	_, err := near.Read(make([]byte, 1))
	expectReset(t, "Read after Reset", err, false)
	_, err = near.Write([]byte{1})
	expectReset(t, "Write after Reset", err, false)
	d.bound(far)
	_, err = far.Read(make([]byte, 1))
	expectReset(t, "the peer's Read", err, true)
	h.eventually(t, "the peer's Write must fail", func() bool {
		_, err = far.Write([]byte{1})
		return err != nil
	})
	expectReset(t, "the peer's Write", err, true)
	d.stream() // the connection goes on
}

func streamResetPending(t T, h TransportHarness) {
	d := h.duo(t)
	near, far := d.stream()
	d.bound(near)
	d.bound(far)
	local, remote := make(chan error, 1), make(chan error, 1)
	go func() { _, err := near.Read(make([]byte, 1)); local <- err }()
	go func() { _, err := far.Read(make([]byte, 1)); remote <- err }()
	near.Reset(transport.CloseBusy)
	expectReset(t, "a Read that waits", <-local, false)
	expectReset(t, "the peer's Read that waits", <-remote, true)
}

func streamReadDeadline(t T, h TransportHarness) {
	d := h.duo(t)
	near, far := d.stream()
	if err := near.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatalf("SetReadDeadline: %v", err)
	}
	h.expectWithin(t, "Read past its deadline", os.ErrDeadlineExceeded, func() error {
		_, err := near.Read(make([]byte, 1))
		return err
	})
	d.write(far, []byte("late"))
	d.expect(near, []byte("late")) // a deadline that is set anew counts
}

func streamWriteDeadline(t T, h TransportHarness) {
	d := h.duo(t)
	near, _ := d.stream()
	if err := near.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatalf("SetWriteDeadline: %v", err)
	}
	h.expectWithin(t, "Write past its deadline", os.ErrDeadlineExceeded, func() error {
		_, err := fill(near)
		return err
	})
}

// fillLimit is more than any transport may buffer of one stream that nobody reads.
const fillLimit = 64 << 20

// fill writes until it is stopped, and returns how much went in.
func fill(s transport.Stream) (total int, err error) {
	for total < fillLimit && err == nil {
		var n int
		n, err = s.Write(make([]byte, 16<<10))
		total += n
	}
	return total, err
}

func streamOpenSilent(t T, h TransportHarness) {
	d := h.duo(t)
	silent := d.open()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := d.there.AcceptStream(ctx); err == nil {
		t.Fatalf("AcceptStream: returned a stream although nothing was written")
	}
	d.write(silent, []byte("first"))
	d.expect(d.accept(), []byte("first"))
}

func streamAcceptCancelled(t T, h TransportHarness) {
	d := h.duo(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	calls := map[string]func() error{
		"OpenStream":      func() error { _, err := d.here.OpenStream(ctx); return err },
		"AcceptStream":    func() error { _, err := d.here.AcceptStream(ctx); return err },
		"ReceiveDatagram": func() error { _, err := d.here.ReceiveDatagram(ctx); return err },
	}
	for call, f := range calls {
		h.expectWithin(t, call+" with a cancelled context", context.Canceled, f)
	}
}

func streamBackPressure(t T, h TransportHarness) {
	d := h.duo(t)
	near, far := d.stream()
	if err := near.SetWriteDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
		t.Fatalf("SetWriteDeadline: %v", err)
	}
	var total int
	err := h.within(t, "Write past its deadline", func() (err error) {
		total, err = fill(near)
		return err
	})
	if err == nil {
		t.Fatalf("Write: took %d bytes that nobody reads, want it to block", total)
	}
	got := make(chan error, 1)
	d.bound(far)
	go func() {
		_, err := io.CopyN(io.Discard, far, int64(total)+1)
		got <- err
	}()
	d.write(near, []byte{1})
	if err := <-got; err != nil {
		t.Errorf("reading what was written under back-pressure: %v", err)
	}
}

func streamIndependence(t T, h TransportHarness) {
	d := h.duo(t)
	for range 3 {
		d.stall()
	}
	near, far := d.stream()
	pace := time.NewTicker(2 * time.Millisecond) // so that the stalled ones get their turn
	defer pace.Stop()
	for range 20 {
		<-pace.C
		if err := d.pass(near, far, make([]byte, 10_000)); err != nil {
			t.Fatalf("a stream beside streams that nobody reads: %v", err)
		}
	}
}

// stall opens a stream that nobody reads and leaves a write waiting on it.
func (d duo) stall() {
	d.h.t.Helper()
	stalled, _ := d.stream()
	if err := stalled.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		d.h.t.Fatalf("SetWriteDeadline: %v", err)
	}
	_ = d.h.within(d.h.t, "Write past its deadline", func() error { _, err := fill(stalled); return err })
	if err := stalled.SetWriteDeadline(time.Now().Add(2 * d.h.patience())); err != nil {
		d.h.t.Fatalf("SetWriteDeadline: %v", err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _, _ = fill(stalled) }()
	d.h.t.Cleanup(func() { stalled.Reset(transport.CloseNone); <-done })
}

// pass writes data on near and reads as much on far.
func (d duo) pass(near, far transport.Stream, data []byte) error {
	d.bound(near)
	d.bound(far)
	wrote := make(chan error, 1)
	go func() { _, err := near.Write(data); wrote <- err }()
	_, err := io.CopyN(io.Discard, far, int64(len(data)))
	return errors.Join(err, <-wrote)
}

func streamWriteAfterClose(t T, h TransportHarness) {
	d := h.duo(t)
	near, _ := d.stream()
	if err := near.CloseWrite(); err != nil {
		t.Fatalf("CloseWrite: %v", err)
	}
	if _, err := near.Write([]byte{1}); err == nil {
		t.Errorf("Write after CloseWrite: no error")
	}
}
