package core_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
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

// stall writes to a stream that nobody reads until its window is full.
func stall(t *testing.T, c net.Conn) {
	t.Helper()
	err := c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
	for err == nil {
		_, err = c.Write(make([]byte, 64<<10))
	}
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("a stream that nobody reads: %v", err)
	}
}

// throughput copies so many bytes from one end of a stream to the other.
func throughput(t *testing.T, from, to net.Conn, size int64) (perSecond float64) {
	t.Helper()
	var writing sync.WaitGroup
	defer writing.Wait()
	if err := errors.Join(from.SetDeadline(time.Now().Add(time.Minute)), to.SetDeadline(time.Now().Add(time.Minute))); err != nil {
		t.Error(err)
	}
	begin := time.Now()
	writing.Go(func() { _, _ = io.CopyN(from, zeros{}, size) })
	if n, err := io.CopyN(io.Discard, to, size); err != nil {
		t.Errorf("%d bytes of %d came: %v", n, size, err)
	}
	return float64(size) / time.Since(begin).Seconds()
}

// Readers that stand still use up the windows of their own streams and nobody else's: as
// many streams as may wait for Accept, and others that were read fast before. Calls on the
// same link go on, both ways, and so does another stream, at a rate like the one before.
func TestAStalledReaderSlowsNobodyElse(t *testing.T) {
	t.Parallel()
	f := newField(t)
	a, b := f.pair()
	listener, err := b.Listen("t")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Listen("nobody accepts"); err != nil {
		t.Fatal(err)
	}
	open := func(tag string) net.Conn {
		c, err := a.OpenStream(t.Context(), tag, b.Name())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Reset() })
		return c
	}
	accepted := func() (near, far net.Conn) {
		near = open("t")
		if far, err = listener.Accept(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = far.Close() })
		return near, far
	}
	offerEcho(t, a)
	offerEcho(t, b)
	flowing, reader := accepted()
	const size = 32 << 20
	before := throughput(t, flowing, reader, size)
	var stalled sync.WaitGroup
	for range 20 {
		near, far := accepted()
		throughput(t, near, far, 1<<20)
		stalled.Go(func() { stall(t, near) })
	}
	for range 64 {
		c := open("nobody accepts")
		stalled.Go(func() { stall(t, c) })
	}
	stalled.Wait()
	after := 0.0
	for range 3 { // the machine may have other work meanwhile
		after = max(after, throughput(t, flowing, reader, size))
	}
	if after < before/4 {
		t.Errorf("a stream carries %.0f bytes a second beside stalled ones, %.0f without", after, before)
	}
	for from, to := range map[*core.Node]*core.Node{a: b, b: a} {
		if _, err := call(t, from, "echo@"+to.Name().String(), "still"); err != nil {
			t.Errorf("a call beside stalled streams: %v", err)
		}
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
