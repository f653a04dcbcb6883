package plugintest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// The checks of Transport that are about its life and its connections.

func transportLifecycle(t T, h TransportHarness) {
	lifecycle(t, func(t T) plugin.Part { return h.New(t, "a@127.0.0.1") })
}

func transportAddresses(t T, h TransportHarness) {
	p := h.New(t, "a@127.0.0.1")
	if got := p.Addresses(); len(got) != 0 {
		t.Errorf("Addresses before Start: %v, want none", got)
	}
	if err := p.Start(h.context(t)); err != nil {
		t.Fatalf("Start: %v", err)
	}
	got := p.Addresses()
	if len(got) == 0 || slices.ContainsFunc(got, name.Address.IsZero) {
		t.Errorf("Addresses after Start: %v, want one or more", got)
	}
	expectStop(h.context(t), t, p, "Stop")
}

func transportLiveness(t T, h TransportHarness) {
	l := h.New(t, "a@127.0.0.1").Liveness()
	if l.Heartbeat <= 0 || 3*l.Heartbeat > l.Idle {
		t.Errorf("Liveness: heartbeat %v, idle %v; want a heartbeat of at most a third of idle", l.Heartbeat, l.Idle)
	}
}

func transportRestart(t T, h TransportHarness) {
	d := h.duo(t)
	ctx := h.context(t)
	if err := d.acceptor.Stop(ctx); err != nil {
		t.Fatalf("Stop: %v", err)
	}
	if err := d.acceptor.Start(ctx); err != nil {
		t.Fatalf("second Start: %v", err)
	}
	d.here, d.there = h.connect(t, d.dialer, d.acceptor)
	d.stream()
}

func transportBeforeStart(t T, h TransportHarness) {
	p := h.New(t, "a@127.0.0.1")
	if _, err := p.Dial(h.context(t), h.Nobody(t)); err == nil {
		t.Errorf("Dial before Start: no error")
	}
}

func transportDialNobody(t T, h TransportHarness) {
	p := h.start(t, "a@127.0.0.1")
	nobody := h.Nobody(t)
	h.expectWithin(t, "Dial to nobody", transport.ErrUnreachable, func() error {
		_, err := p.Dial(t.Context(), nobody)
		return err
	})
}

func transportDialCancelled(t T, h TransportHarness) {
	p := h.start(t, "a@127.0.0.1")
	nobody := h.Nobody(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.expectWithin(t, "Dial with a cancelled context", context.Canceled, func() error {
		_, err := p.Dial(ctx, nobody)
		return err
	})
}

func transportAcceptAfterStop(t T, h TransportHarness) {
	p := h.start(t, "a@127.0.0.1")
	accept := func() error { _, err := p.Accept(t.Context()); return err }
	pending := make(chan error, 1)
	go func() { pending <- accept() }()
	expectStop(h.context(t), t, p, "Stop")
	h.expectWithin(t, "Accept that waited during Stop", transport.ErrClosed, func() error { return <-pending })
	h.expectWithin(t, "Accept after Stop", transport.ErrClosed, accept)
}

func transportAcceptCancelled(t T, h TransportHarness) {
	p := h.start(t, "a@127.0.0.1")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.expectWithin(t, "Accept with a cancelled context", context.Canceled, func() error {
		_, err := p.Accept(ctx)
		return err
	})
}

func transportBinding(t T, h TransportHarness) {
	d := h.duo(t)
	here, there := d.here.Info().Binding, d.there.Info().Binding
	if here != there {
		t.Errorf("Binding: differs between the two ends of a connection")
	}
	if here == [32]byte{} {
		t.Errorf("Binding: is zero")
	}
	if again, _ := h.connect(t, d.dialer, d.acceptor); again.Info().Binding == here {
		t.Errorf("Binding: two connections of one pair have the same")
	}
}

func transportDirection(t T, h TransportHarness) {
	d := h.duo(t)
	here, there := d.here.Info(), d.there.Info()
	if !here.Dialed || there.Dialed {
		t.Errorf("Dialed: %v at the dialer, %v at the acceptor", here.Dialed, there.Dialed)
	}
	if here.Remote != d.acceptor.Addresses()[0] {
		t.Errorf("Remote of the dialer: %s, want %s", here.Remote, d.acceptor.Addresses()[0])
	}
}

func transportMany(t T, h TransportHarness) {
	acceptor := h.start(t, "b@127.0.0.1")
	var echoes sync.WaitGroup
	const dialers = 12
	echoes.Go(func() {
		for range dialers {
			conn, err := acceptor.Accept(h.context(t))
			if err != nil {
				t.Errorf("Accept: %v", err)
				return
			}
			echoes.Go(func() { echo(t, h, conn) })
		}
	})
	for i := range dialers {
		dialer := h.start(t, "a@127.0.0.1")
		echoes.Go(func() { transportAsk(t, h, dialer, acceptor.Addresses()[0], byte(i)) })
	}
	echoes.Wait()
}

func echo(t T, h TransportHarness, conn transport.Conn) {
	s, err := conn.AcceptStream(h.context(t))
	if err != nil {
		t.Errorf("AcceptStream: %v", err)
		return
	}
	if err := s.SetReadDeadline(time.Now().Add(h.patience())); err != nil {
		t.Errorf("SetReadDeadline: %v", err)
	}
	if _, err := io.Copy(s, io.LimitReader(s, 1<<20)); err != nil {
		t.Errorf("reading to the end of a stream that was closed for writing: %v", err)
	}
	if err := s.CloseWrite(); err != nil {
		t.Errorf("CloseWrite: %v", err)
	}
}

func transportAsk(t T, h TransportHarness, p transport.Plugin, addr name.Address, mark byte) {
	conn, err := p.Dial(h.context(t), addr)
	if err != nil {
		t.Errorf("Dial: %v", err)
		return
	}
	s, err := conn.OpenStream(h.context(t))
	if err != nil {
		t.Errorf("OpenStream: %v", err)
		return
	}
	want := bytes.Repeat([]byte{mark}, 1000)
	_, err1 := s.Write(want)
	err2 := s.CloseWrite()
	err3 := s.SetReadDeadline(time.Now().Add(h.patience()))
	got, err4 := io.ReadAll(s)
	if err := errors.Join(err1, err2, err3, err4); err != nil || !bytes.Equal(got, want) {
		t.Errorf("echo of %d bytes: %d bytes, %v", len(want), len(got), err)
	}
}

func transportCounters(t T, h TransportHarness) {
	d := h.duo(t)
	here, there := d.here.Info(), d.there.Info()
	near, far := d.stream()
	d.write(near, make([]byte, 10_000))
	d.expect(far, make([]byte, 10_000))
	h.eventually(t, "BytesSent, BytesReceived and PacketsReceived must grow with what is sent", func() bool {
		sent, got := d.here.Info(), d.there.Info()
		return sent.BytesSent >= here.BytesSent+10_000 && got.BytesReceived >= there.BytesReceived+10_000 &&
			got.PacketsReceived > there.PacketsReceived
	})
	h.eventually(t, "PacketsReceived of the sender must grow with acknowledgements", func() bool {
		return d.here.Info().PacketsReceived > here.PacketsReceived
	})
}

// ended waits for the end of a connection and returns the cause.
func (h TransportHarness) ended(t T, conn transport.Conn) error {
	t.Helper()
	select {
	case <-conn.Context().Done():
		return context.Cause(conn.Context())
	case <-h.context(t).Done():
		t.Fatalf("the connection did not end within %v", h.patience())
		return nil
	}
}

func (h TransportHarness) expectClosed(t T, conn transport.Conn, want transport.CloseError) {
	t.Helper()
	cause := h.ended(t, conn)
	got, ok := errors.AsType[*transport.CloseError](cause)
	if !ok || *got != want {
		t.Errorf("cause of the end: %v; want %v", cause, &want)
	}
}

func transportCloseReaches(t T, h TransportHarness) {
	d := h.duo(t)
	pending := make(chan error, 1)
	go func() {
		_, err := d.there.AcceptStream(t.Context())
		pending <- err
	}()
	if err := d.here.Close(transport.CloseRefused, "another cluster"); err != nil {
		t.Errorf("Close: %v", err)
	}
	h.expectClosed(t, d.here, transport.CloseError{Code: transport.CloseRefused, Reason: "another cluster"})
	want := transport.CloseError{Remote: true, Code: transport.CloseRefused, Reason: "another cluster"}
	h.expectClosed(t, d.there, want)
	err := h.within(t, "AcceptStream of the peer", func() error { return <-pending })
	if got, ok := errors.AsType[*transport.CloseError](err); !ok || *got != want {
		t.Errorf("AcceptStream of the peer: %v, want %v", err, &want)
	}
}

func transportCloseIdempotent(t T, h TransportHarness) {
	d := h.duo(t)
	for _, code := range []transport.CloseCode{transport.CloseLeaving, transport.CloseProtocol} {
		if err := d.here.Close(code, code.String()); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	h.expectClosed(t, d.here, transport.CloseError{Code: transport.CloseLeaving, Reason: "leaving"})
	h.expectClosed(t, d.there, transport.CloseError{Remote: true, Code: transport.CloseLeaving, Reason: "leaving"})
}

func transportClosedConn(t T, h TransportHarness) {
	d := h.duo(t)
	near, _ := d.stream()
	if err := d.here.Close(transport.CloseIdle, ""); err != nil {
		t.Errorf("Close: %v", err)
	}
	ctx := h.context(t)
	_, open := d.here.OpenStream(ctx)
	_, accept := d.here.AcceptStream(ctx)
	_, receive := d.here.ReceiveDatagram(ctx)
	_, read := near.Read(make([]byte, 1))
	_, write := near.Write([]byte{1})
	calls := map[string]error{
		"OpenStream": open, "AcceptStream": accept, "ReceiveDatagram": receive,
		"SendDatagram": d.here.SendDatagram([]byte{1}), "Read": read, "Write": write,
	}
	for call, err := range calls {
		if got, ok := errors.AsType[*transport.CloseError](err); !ok || got.Code != transport.CloseIdle || got.Remote {
			t.Errorf("%s on a connection closed here: %v, want its CloseError", call, err)
		}
	}
}

func transportStopTells(t T, h TransportHarness) {
	d := h.duo(t)
	expectStop(h.context(t), t, d.dialer, "Stop")
	h.expectClosed(t, d.there, transport.CloseError{Remote: true, Code: transport.CloseStopping})
}

func transportDatagrams(t T, h TransportHarness) {
	d := h.duo(t)
	for _, size := range []int{1, 24, transport.MaxDatagram} {
		want := bytes.Repeat([]byte{byte(size)}, size)
		h.exchange(t, d.here, d.there, want)
		h.exchange(t, d.there, d.here, want)
	}
}

// exchange sends a datagram, again and again because it may be lost, until it arrives.
func (h TransportHarness) exchange(t T, from, to transport.Conn, want []byte) {
	t.Helper()
	arrived := make(chan struct{})
	ctx, cancel := context.WithCancel(h.context(t))
	defer cancel()
	go func() {
		for {
			got, err := to.ReceiveDatagram(ctx)
			if err != nil {
				return
			}
			if bytes.Equal(got, want) {
				close(arrived)
				return
			}
		}
	}()
	for {
		if err := from.SendDatagram(want); err != nil {
			t.Fatalf("SendDatagram of %d bytes: %v", len(want), err)
		}
		select {
		case <-arrived:
			return
		case <-ctx.Done():
			t.Fatalf("a datagram of %d bytes: did not arrive within %v", len(want), h.patience())
		case <-time.After(h.patience() / 50):
		}
	}
}

// transportUnreadDatagrams sends more than any queue holds to a peer that receives none.
func transportUnreadDatagrams(t T, h TransportHarness) {
	d := h.duo(t)
	near, far := d.stream()
	for range 1000 {
		send := func() error { return d.here.SendDatagram(make([]byte, transport.MaxDatagram)) }
		if err := h.within(t, "SendDatagram to a peer that receives none", send); err != nil {
			t.Fatalf("SendDatagram to a peer that receives none: %v", err)
		}
	}
	d.write(near, []byte{2})
	d.expect(far, []byte{2})
	d.write(far, []byte{3})
	d.expect(near, []byte{3})
}

func transportDatagramTooLarge(t T, h TransportHarness) {
	d := h.duo(t)
	if err := d.here.SendDatagram(make([]byte, 70_000)); !errors.Is(err, transport.ErrTooLarge) {
		t.Errorf("SendDatagram of 70,000 bytes: %v, want ErrTooLarge", err)
	}
}
