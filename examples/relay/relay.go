package main

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
)

// relay passes packets on to one place, from a socket of its own for each address that
// sends some, and what comes there back to that one. So whoever comes from another address
// is seen as such at the far end, which a link that moves needs. It can read no packet and
// forge none: the two nodes prove to each other who they are.
type relay struct {
	front         net.PacketConn // towards those who use it
	to            net.Addr
	backs         map[string]net.PacketConn // towards the place; of the loop of front
	out, returned atomic.Uint64
	running       sync.WaitGroup
}

// newRelay makes a relay to an address, which runs until close.
func newRelay(ctx context.Context, to string) (*relay, error) {
	target, err := net.ResolveUDPAddr("udp", to)
	if err != nil {
		return nil, err
	}
	front, err := listen(ctx)
	if err != nil {
		return nil, err
	}
	r := &relay{front: front, to: target, backs: map[string]net.PacketConn{}}
	r.running.Go(func() { r.forward(ctx) })
	return r, nil
}

func listen(ctx context.Context) (net.PacketConn, error) {
	var config net.ListenConfig
	return config.ListenPacket(ctx, "udp", "127.0.0.1:0")
}

// address is where to send what is to be passed on.
func (r *relay) address() net.Addr { return r.front.LocalAddr() }

// carried says whether packets went through, there and back.
func (r *relay) carried() bool { return r.out.Load() > 0 && r.returned.Load() > 0 }

const (
	maxPacket  = 2048 // bytes, more than a packet of QUIC has
	maxClients = 64
)

func (r *relay) forward(ctx context.Context) {
	buf := make([]byte, maxPacket)
	for {
		n, from, err := r.front.ReadFrom(buf)
		if err != nil {
			break
		}
		if back := r.back(ctx, from); back != nil {
			r.out.Add(1)
			_, _ = back.WriteTo(buf[:n], r.to) // what is lost here is sent again
		}
	}
	for _, back := range r.backs {
		_ = back.Close() // which ends its loop
	}
}

// back is the socket for an address, nil if there are too many.
func (r *relay) back(ctx context.Context, from net.Addr) net.PacketConn {
	back := r.backs[from.String()]
	if back != nil || len(r.backs) >= maxClients {
		return back
	}
	back, err := listen(ctx)
	if err != nil {
		return nil
	}
	r.backs[from.String()] = back
	r.running.Go(func() { r.reply(back, from) })
	return back
}

func (r *relay) reply(back net.PacketConn, to net.Addr) {
	buf := make([]byte, maxPacket)
	for {
		n, _, err := back.ReadFrom(buf)
		if err != nil {
			return
		}
		r.returned.Add(1)
		_, _ = r.front.WriteTo(buf[:n], to) // as above
	}
}

func (r *relay) close() {
	_ = r.front.Close() // which ends the loops
	r.running.Wait()
}
