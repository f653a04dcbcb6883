package main

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
)

// relay passes packets on to one place, and back to whoever sent the last one. It can
// read none of them and forge none: the two nodes prove to each other who they are.
type relay struct {
	front, back   net.PacketConn // towards those who use it, and towards the place
	to            net.Addr
	client        atomic.Pointer[net.Addr]
	out, returned atomic.Uint64
	running       sync.WaitGroup
}

// newRelay makes a relay to an address, which runs until close.
func newRelay(ctx context.Context, to string) (*relay, error) {
	target, err := net.ResolveUDPAddr("udp", to)
	if err != nil {
		return nil, err
	}
	var listen net.ListenConfig
	front, err := listen.ListenPacket(ctx, "udp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	back, err := listen.ListenPacket(ctx, "udp", "127.0.0.1:0")
	if err != nil {
		_ = front.Close()
		return nil, err
	}
	r := &relay{front: front, back: back, to: target}
	r.running.Go(r.forward)
	r.running.Go(r.reply)
	return r, nil
}

// address is where to send what is to be passed on.
func (r *relay) address() net.Addr { return r.front.LocalAddr() }

// packets is how many went each way.
func (r *relay) packets() (out, back uint64) { return r.out.Load(), r.returned.Load() }

// maxPacket is more than fits into a packet of QUIC, in bytes.
const maxPacket = 2048

func (r *relay) forward() {
	buf := make([]byte, maxPacket)
	for {
		n, from, err := r.front.ReadFrom(buf)
		if err != nil {
			return
		}
		r.client.Store(&from)
		r.out.Add(1)
		_, _ = r.back.WriteTo(buf[:n], r.to) // what is lost here is sent again
	}
}

func (r *relay) reply() {
	buf := make([]byte, maxPacket)
	for {
		n, _, err := r.back.ReadFrom(buf)
		if err != nil {
			return
		}
		if client := r.client.Load(); client != nil {
			r.returned.Add(1)
			_, _ = r.front.WriteTo(buf[:n], *client) // as above
		}
	}
}

func (r *relay) close() {
	_, _ = r.front.Close(), r.back.Close() // which end the two loops
	r.running.Wait()
}
