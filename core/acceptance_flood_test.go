package core_test

import (
	"context"
	"crypto/rand"
	"errors"
	mathrand "math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/time/rate"
)

// crowd opens sockets, each at an address of its own.
func crowd(t *testing.T, size int) []net.PacketConn {
	t.Helper()
	sockets := make([]net.PacketConn, size)
	for i := range sockets {
		var listen net.ListenConfig
		socket, err := listen.ListenPacket(t.Context(), "udp", net.IPv4(127, 0, 1, byte(i+1)).String()+":0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = socket.Close() })
		sockets[i] = socket
	}
	return sockets
}

// flood sends so many packets to the node from the sockets in turn, at a bounded rate.
func (s *siege) flood(t *testing.T, from []net.PacketConn, count int, packet func() []byte) {
	t.Helper()
	to, pace := addressOf(t, s.node), rate.NewLimiter(5000, 100)
	for i := range count {
		if err := pace.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := from[i%len(from)].WriteTo(packet(), to); err != nil {
			t.Fatal(err)
		}
	}
}

func garbage(t *testing.T, s *siege) {
	s.flood(t, crowd(t, 1), 5000, func() []byte {
		p := make([]byte, 1+mathrand.N(1400))
		_, _ = rand.Read(p)
		return p
	})
}

// halfOpen begins 10,000 connections from ten hosts and goes on with none.
func halfOpen(t *testing.T, s *siege) {
	hosts, first := crowd(t, 10), newFirstPacket(t)
	s.flood(t, hosts, 10_000, func() []byte { return first.sealed(t) })
	answers := 0
	for _, h := range hosts {
		if err := h.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := h.ReadFrom(make([]byte, 1500)); err == nil {
			answers++
		}
	}
	if answers == 0 {
		t.Error("nobody was answered: these were no first packets")
	}
}

// silent opens 500 connections that never say a word.
func silent(t *testing.T, s *siege) {
	const count, atOnce = 500, 10
	e := newEndpoint(t, "127.0.0.5")
	var dialing sync.WaitGroup
	began := time.Now()
	conns, turns := make(chan *quic.Conn, count), make(chan struct{}, atOnce)
	var turnedAway atomic.Int32
	for range count {
		turns <- struct{}{}
		dialing.Go(func() {
			defer func() { <-turns }()
			qc, err := e.try(s.node)
			if err != nil {
				turnedAway.Add(1)
				return
			}
			conns <- qc
		})
	}
	dialing.Wait()
	t.Logf("dialed after %v", time.Since(began))
	close(conns)
	for qc := range conns {
		if err := thrownOut(t, qc); errors.Is(err, context.Canceled) {
			t.Errorf("ended here: %v", err)
		}
	}
	t.Logf("%d of %d were not even let in", turnedAway.Load(), count)
}
