package core_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"github.com/barrelp2p/barrel/core"
)

// A stream between two nodes over QUIC is a net.Conn in every respect that the tests of
// package net know.
func TestAStreamIsANetConn(t *testing.T) {
	t.Parallel()
	f := newField(t)
	a, b := f.pair()
	listener, err := b.Listen("nettest")
	if err != nil {
		t.Fatal(err)
	}
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		c1, err = a.OpenStream(t.Context(), "nettest", b.Name())
		if err != nil {
			return nil, nil, nil, err
		}
		if c2, err = listener.Accept(); err != nil {
			return nil, nil, nil, err
		}
		return c1, c2, func() { _ = errors.Join(c1.Close(), c2.Close()) }, nil
	})
}

// Readers that stand still use up the windows of their own streams and nobody else's.
func TestAStalledReaderSlowsNobodyElse(t *testing.T) {
	t.Parallel()
	f := newField(t)
	a, b := f.pair()
	listener, err := b.Listen("t")
	if err != nil {
		t.Fatal(err)
	}
	open := func() (net.Conn, net.Conn) {
		c, err := a.OpenStream(t.Context(), "t", b.Name())
		if err != nil {
			t.Fatal(err)
		}
		other, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = errors.Join(c.Close(), other.Close()) })
		return c, other
	}
	for range 20 { // nobody reads these
		stalled, _ := open()
		if err := stalled.SetWriteDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = stalled.Write(make([]byte, 64<<10))
		}
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Fatalf("a stream that nobody reads: %v", err)
		}
		err = nil
	}
	offerEcho(t, b)
	flowing, reader := open()
	const size = 32 << 20
	go func() { _, _ = io.CopyN(flowing, zeros{}, size) }()
	if n, err := io.CopyN(io.Discard, reader, size); err != nil {
		t.Errorf("%d bytes came beside stalled streams: %v", n, err)
	}
	if _, err := call(t, a, "echo@"+b.Name().String(), "still"); err != nil {
		t.Errorf("a call beside stalled streams: %v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// What is written for net.Conn and net.Listener works, HTTP first of all; and a stream
// dials by itself.
func TestHTTPOverStreams(t *testing.T) {
	t.Parallel()
	f := newField(t)
	a, b := f.pair()
	listener, err := b.Listen("web")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		_, _ = io.CopyN(w, zeros{}, n)
	})}
	go func() { _ = server.Serve(listener) }()
	defer func() { _ = server.Close() }()
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return a.OpenStream(ctx, "web", b.Name())
	}}}
	defer client.CloseIdleConnections()
	response, err := client.Post("http://b/", "text/plain", io.LimitReader(zeros{}, 3<<20))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if n, err := io.Copy(io.Discard, response.Body); err != nil || n != 3<<20 {
		t.Errorf("%d bytes came back, %v", n, err)
	}
	if _, err := a.OpenStream(t.Context(), "barrel:x", b.Name()); !errors.Is(err, core.ErrBadTag) {
		t.Errorf("a reserved tag: %v", err)
	}
}
