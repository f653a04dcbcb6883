package transportquic

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"

	"github.com/quic-go/quic-go"
)

// Handshakes under way cost memory and processor time for peers that have shown
// nothing yet, so they are few.
const (
	// retryAbove is from how many on a dialer must prove that it receives what is sent
	// to its address (QUIC Retry, RFC 9000 section 8.1.2), which costs this side nothing
	// to remember.
	retryAbove = 64
	// maxHalfOpen is how many there may be, maxHalfOpenHost from one host.
	maxHalfOpen     = 256
	maxHalfOpenHost = 128
)

var errTooManyHandshakes = errors.New("too many handshakes under way")

// admission counts the handshakes under way.
type admission struct {
	mu     sync.Mutex
	total  int
	byHost map[netip.Prefix]int
}

func newAdmission() *admission { return &admission{byHost: map[netip.Prefix]int{}} }

// host is an IPv4 address, or the /64 network of an IPv6 one, of which a single
// machine has as many addresses as it likes.
func host(a net.Addr) netip.Prefix {
	addr := addrPort(a).Addr()
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	prefix, _ := addr.Prefix(bits) // an invalid address gives an invalid prefix, counted as one host
	return prefix
}

// suspicious is asked for each first packet of a dialer.
func (a *admission) suspicious(net.Addr) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.total >= retryAbove
}

type halfOpenKey struct{}

// admit counts a handshake in until its context ends or settled is called, or refuses
// it.
func (a *admission) admit(ctx context.Context, info *quic.ClientInfo) (context.Context, error) {
	from := host(info.RemoteAddr)
	if !a.enter(from) {
		return nil, errTooManyHandshakes
	}
	release := sync.OnceFunc(func() { a.leave(from) })
	context.AfterFunc(ctx, release)
	return context.WithValue(ctx, halfOpenKey{}, release), nil
}

// settled counts out the handshake of a connection that was accepted.
func (*admission) settled(qc *quic.Conn) {
	if release, ok := qc.Context().Value(halfOpenKey{}).(func()); ok {
		release()
	}
}

func (a *admission) enter(from netip.Prefix) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.total >= maxHalfOpen || a.byHost[from] >= maxHalfOpenHost {
		return false
	}
	a.total++
	a.byHost[from]++
	return true
}

func (a *admission) leave(from netip.Prefix) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.total--
	if a.byHost[from]--; a.byHost[from] == 0 {
		delete(a.byHost, from)
	}
}

func (a *admission) halfOpen() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.total
}
