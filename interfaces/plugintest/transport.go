package plugintest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// TransportHarness says how to get transports that can reach each other.
type TransportHarness struct {
	// New makes a transport that is not started, for a node of that name, which
	// listens where only this machine can reach it.
	New func(t T, node string) transport.Plugin
	// Nobody is an address at which nobody answers.
	Nobody func(t T) name.Address
	// Patience replaces the constant of the same name, if set.
	Patience time.Duration

	started map[string]transport.Plugin // that run already, by node
}

// Transport tests that a transport keeps the promises of its contract, twice: with the
// transport itself, and with the two halves of the wire between.
func Transport(t *testing.T, h TransportHarness) {
	t.Helper()
	runAll(t, h, transportChecks())
	t.Run("wire", func(t *testing.T) { runAll(t, h.OverWire(), transportChecks()) })
}

// TransportProcess is the suite for a harness whose transports live in processes of
// their own. Starting one takes a while, so what is not about the life of a transport is
// done with one pair of them.
func TransportProcess(t *testing.T, h TransportHarness) {
	t.Helper()
	runAll(t, h, transportLifeChecks())
	h.started = map[string]transport.Plugin{}
	for _, node := range []string{"a@127.0.0.1", "b@127.0.0.1"} {
		h.started[node] = h.start(t, node)
	}
	runAll(t, h, transportConnChecks())
}

func transportChecks() []check[TransportHarness] {
	return slices.Concat(transportLifeChecks(), transportConnChecks())
}

// transportLifeChecks are those that start and stop transports.
func transportLifeChecks() []check[TransportHarness] {
	return []check[TransportHarness]{
		{"lifecycle", transportLifecycle},
		{"addresses", transportAddresses},
		{"liveness", transportLiveness},
		{"restart", transportRestart},
		{"before start", transportBeforeStart},
		{"accept after stop", transportAcceptAfterStop},
		{"stop tells peers", transportStopTells},
	}
}

// transportConnChecks are those that need transports that run.
func transportConnChecks() []check[TransportHarness] {
	return []check[TransportHarness]{
		{"dial nobody", transportDialNobody},
		{"dial cancelled", transportDialCancelled},
		{"accept cancelled", transportAcceptCancelled},
		{"binding", transportBinding},
		{"direction", transportDirection},
		{"many connections", transportMany},
		{"counters", transportCounters},
		{"close reaches the peer", transportCloseReaches},
		{"first close decides", transportCloseIdempotent},
		{"closed connection", transportClosedConn},
		{"datagrams", transportDatagrams},
		{"datagram too large", transportDatagramTooLarge},
		{"unread datagrams", transportUnreadDatagrams},
		{"stream order", streamOrder},
		{"half close", streamHalfClose},
		{"reset", streamReset},
		{"reset of pending calls", streamResetPending},
		{"read deadline", streamReadDeadline},
		{"write deadline", streamWriteDeadline},
		{"open sends nothing", streamOpenSilent},
		{"open cancelled", streamAcceptCancelled},
		{"back-pressure", streamBackPressure},
		{"independent streams", streamIndependence},
		{"write after close", streamWriteAfterClose},
	}
}

func (h TransportHarness) patience() time.Duration {
	if h.Patience > 0 {
		return h.Patience
	}
	return Patience
}

// context ends with the patience of the harness.
func (h TransportHarness) context(t T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), h.patience())
	t.Cleanup(cancel)
	return ctx
}

// start makes a transport that runs until the test ends.
func (h TransportHarness) start(t T, node string) transport.Plugin {
	t.Helper()
	if p := h.started[node]; p != nil {
		return p
	}
	p := h.New(t, node)
	if err := p.Start(h.context(t)); err != nil {
		t.Fatalf("Start of %s: %v", node, err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), h.patience())
		defer cancel()
		if err := p.Stop(ctx); err != nil {
			t.Errorf("Stop of %s: %v", node, err)
		}
	})
	return p
}

// duo is two transports with one connection.
type duo struct {
	h                transportAndT
	dialer, acceptor transport.Plugin
	here, there      transport.Conn // of the dialer, of the acceptor
}

type transportAndT struct {
	TransportHarness
	t T
}

func (h TransportHarness) duo(t T) duo {
	t.Helper()
	d := duo{h: transportAndT{h, t}, dialer: h.start(t, "a@127.0.0.1"), acceptor: h.start(t, "b@127.0.0.1")}
	d.here, d.there = h.connect(t, d.dialer, d.acceptor)
	if h.started != nil {
		t.Cleanup(func() { _ = d.here.Close(transport.CloseNone, "") })
	}
	return d
}

func (h TransportHarness) connect(t T, from, to transport.Plugin) (here, there transport.Conn) {
	t.Helper()
	ctx := h.context(t)
	addresses := to.Addresses()
	if len(addresses) == 0 {
		t.Fatalf("Addresses: none while running")
	}
	here, err := from.Dial(ctx, addresses[0])
	if err != nil {
		t.Fatalf("Dial %s: %v", addresses[0], err)
	}
	there, err = to.Accept(ctx)
	if err != nil {
		t.Fatalf("Accept: %v", err)
	}
	return here, there
}

// stream opens a stream from here and accepts it there, by one byte each way.
func (d duo) stream() (near, far transport.Stream) {
	d.h.t.Helper()
	near = d.open()
	d.write(near, []byte{1})
	far = d.accept()
	d.expect(far, []byte{1})
	return near, far
}

func (d duo) open() transport.Stream {
	d.h.t.Helper()
	s, err := d.here.OpenStream(d.h.context(d.h.t))
	if err != nil {
		d.h.t.Fatalf("OpenStream: %v", err)
	}
	return s
}

func (d duo) accept() transport.Stream {
	d.h.t.Helper()
	s, err := d.there.AcceptStream(d.h.context(d.h.t))
	if err != nil {
		d.h.t.Fatalf("AcceptStream: %v", err)
	}
	return s
}

func (d duo) write(s transport.Stream, data []byte) {
	d.h.t.Helper()
	d.bound(s)
	if n, err := s.Write(data); err != nil || n != len(data) {
		d.h.t.Fatalf("Write of %d bytes: %d, %v", len(data), n, err)
	}
}

func (d duo) expect(s transport.Stream, want []byte) {
	d.h.t.Helper()
	d.bound(s)
	got := make([]byte, len(want))
	if n, err := io.ReadFull(s, got); err != nil {
		d.h.t.Fatalf("Read: %d of %d bytes, %v", n, len(want), err)
	}
	if !bytes.Equal(got, want) {
		d.h.t.Fatalf("Read: the %d bytes are not those that were written, or not in that order", len(want))
	}
}

// bound sees that a stream of a broken transport does not hang the test.
func (d duo) bound(s transport.Stream) {
	d.h.t.Helper()
	t := time.Now().Add(d.h.patience())
	if err := errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t)); err != nil {
		d.h.t.Fatalf("setting deadlines: %v", err)
	}
}

func (h TransportHarness) eventually(t T, missing string, cond func() bool) {
	t.Helper()
	ctx := h.context(t)
	for !cond() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within %v", missing, h.patience())
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// within returns what call returned, and ends the test if it does not return in time.
func (h TransportHarness) within(t T, what string, call func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- call() }()
	select {
	case err := <-done:
		return err
	case <-h.context(t).Done():
		t.Fatalf("%s: did not return within %v", what, h.patience())
		return nil
	}
}

// expectWithin wants call to return in time, with an error of the kind want.
func (h TransportHarness) expectWithin(t T, what string, want error, call func() error) {
	t.Helper()
	if err := h.within(t, what, call); !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}
