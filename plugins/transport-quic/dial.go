package transportquic

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

const (
	// stagger is how long one address of a host has before the next is tried too (RFC
	// 8305 section 5).
	stagger = 250 * time.Millisecond
	// maxTargets bounds how many addresses of a host are tried.
	maxTargets = 8
)

func (l *life) dial(ctx context.Context, addr name.Address) (transport.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(l.ctx, cancel)()
	to := target{node: transport.Wanted(ctx), addr: addr}
	if l.path != nil {
		c, err := l.dialVia(ctx, to)
		if err != nil {
			return nil, err
		}
		if c != nil {
			return c, nil
		}
	}
	targets, err := l.resolve(ctx, addr)
	if err == nil {
		var qc *quic.Conn
		if qc, err = l.race(ctx, targets); err == nil {
			return l.adopt(qc, to, false)
		}
	}
	if l.ctx.Err() != nil {
		return nil, transport.ErrClosed
	}
	return nil, err
}

// resolve finds the socket addresses of addr that this socket can send to.
func (l *life) resolve(ctx context.Context, addr name.Address) ([]netip.AddrPort, error) {
	ips := []netip.Addr{}
	if ip, err := netip.ParseAddr(addr.Host()); err == nil {
		ips = append(ips, ip)
	} else if ips, err = net.DefaultResolver.LookupNetIP(ctx, "ip", addr.Host()); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("host %q has no address: %w: check the name and the DNS server: %w", addr.Host(), err, transport.ErrUnreachable)
	}
	targets := sendable(ips, addr.Port(), l.bound.Addr())
	if len(targets) == 0 {
		return nil, fmt.Errorf("not to be reached from %s, which is of the other IP version: listen on all addresses: %w",
			l.bound.Addr(), transport.ErrUnreachable)
	}
	return targets, nil
}

// sendable leaves out what a socket bound to one IP version cannot send to.
func sendable(ips []netip.Addr, port uint16, bound netip.Addr) []netip.AddrPort {
	both := bound.Is6() && bound.IsUnspecified()
	var targets []netip.AddrPort
	for _, ip := range ips {
		ip = ip.Unmap()
		if len(targets) < maxTargets && (both || ip.Is4() == bound.Is4()) {
			targets = append(targets, netip.AddrPortFrom(ip, port))
		}
	}
	return targets
}

// attempt is what came of dialing one address.
type attempt struct {
	conn *quic.Conn
	err  error
}

// race dials the addresses one after the other, the next one as soon as one fails or
// takes long. The first that answers wins.
func (l *life) race(ctx context.Context, targets []netip.AddrPort) (*quic.Conn, error) {
	if len(targets) == 1 {
		return l.try(ctx, targets[0])
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan attempt, len(targets))
	pause := time.NewTimer(0)
	defer pause.Stop()
	var failed []error
	for started := 0; len(failed) < len(targets); {
		var next <-chan time.Time
		if started < len(targets) {
			next = pause.C
		}
		select {
		case <-next:
			l.launch(ctx, targets[started], results)
			started++
			pause.Reset(stagger)
		case r := <-results:
			if r.err == nil {
				cancel()
				l.dismiss(results, started-len(failed)-1)
				return r.conn, nil
			}
			failed = append(failed, r.err)
			pause.Reset(0)
		}
	}
	return nil, errors.Join(failed...)
}

func (l *life) launch(ctx context.Context, target netip.AddrPort, results chan<- attempt) {
	ran := l.tasks.Go("dial", func(context.Context) {
		qc, err := l.try(ctx, target)
		results <- attempt{qc, err}
	})
	if !ran {
		results <- attempt{err: transport.ErrClosed}
	}
}

// dismiss waits for the attempts that lost, which have been cancelled, and closes
// those that were answered all the same.
func (l *life) dismiss(results <-chan attempt, pending int) {
	for range pending {
		if r := <-results; r.err == nil {
			_ = r.conn.CloseWithError(quic.ApplicationErrorCode(transport.CloseDuplicate), "another address answered first") // returns nil
		}
	}
}

func (l *life) try(ctx context.Context, target netip.AddrPort) (*quic.Conn, error) {
	qc, err := l.quic.Dial(ctx, net.UDPAddrFromAddrPort(target), l.tls, l.config)
	if err != nil {
		return nil, dialError(ctx, target, err)
	}
	return qc, nil
}

// dialError tells apart nobody, somebody else, a node that refuses, and a caller that
// gave up.
func dialError(ctx context.Context, target netip.AddrPort, err error) error {
	const next = "check that the node runs there and that UDP is let through"
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%w at %s: %s: %w", transport.ErrUnreachable, target, next, ctx.Err())
	case ctx.Err() != nil:
		return ctx.Err()
	case timedOut(err):
		return fmt.Errorf("%w at %s within %v: %s", transport.ErrUnreachable, target, handshakeIdle, next)
	}
	if te, ok := errors.AsType[*quic.TransportError](err); ok {
		if !te.Remote && te.ErrorCode == quic.InternalError { // the system did not send it
			return fmt.Errorf("%w at %s: %s: %s", transport.ErrUnreachable, target, te.ErrorMessage, next)
		}
		return fmt.Errorf("%s answers but is of no use: %w: check that it is the address of a node", target, protocolError(te))
	}
	if versions, ok := errors.AsType[*quic.VersionNegotiationError](err); ok {
		return fmt.Errorf("%s speaks another version of QUIC: %w: check that it is the address of a node", target, versions)
	}
	return fmt.Errorf("%w at %s: %w: %s", transport.ErrUnreachable, target, err, next)
}
