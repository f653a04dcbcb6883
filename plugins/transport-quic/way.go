package transportquic

import (
	"net"
	"net/netip"
	"sync"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// way is by which local address the packets of a connection leave.
type way struct {
	mu     sync.Mutex
	from   netip.Addr // the zero value until it is known
	asOf   uint64     // the state of the machine's addresses when it was found out
	astray bool
}

// look finds out whether packets leave from another address than they did. As long as
// the machine keeps its addresses, that is not asked again.
func (w *way) look(asOf uint64, source func() (netip.Addr, error)) (astray bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.asOf == asOf {
		return w.astray
	}
	now, err := source()
	if err != nil {
		return false // there is no way at all: nowhere to go
	}
	if !w.from.IsValid() {
		w.from = now
	}
	w.asOf, w.astray = asOf, now != w.from
	return w.astray
}

// taken notes that the connection goes the present way.
func (w *way) taken() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.from, w.asOf, w.astray = netip.Addr{}, 0, false
}

// leaves is a local address with the host from which packets leave, if the socket is not
// bound to one.
func (w *way) leaves(local name.Address) name.Address {
	w.mu.Lock()
	defer w.mu.Unlock()
	if at, err := netip.ParseAddrPort(local.String()); err == nil && at.Addr().IsUnspecified() && w.from.IsValid() {
		return name.AddressFrom(netip.AddrPortFrom(w.from, at.Port()))
	}
	return local
}

// sourceOf is the address from which the system sends to another. Nothing is sent.
func sourceOf(to netip.AddrPort) (netip.Addr, error) {
	probe, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		return netip.Addr{}, err
	}
	return addrPort(probe.LocalAddr()).Addr(), probe.Close()
}

// Astray reports that the packets of the connection leave from another local address
// than when it was made or last moved. One on a socket with an address of its own, or on
// a path of somebody's making, never is.
func (c *conn) Astray() bool {
	l := c.life
	if l.source == nil || !l.bound.Addr().IsUnspecified() || c.private {
		return false
	}
	_, remote := c.addresses()
	to, err := netip.ParseAddrPort(remote.String())
	return err == nil && c.way.look(l.here.version(), func() (netip.Addr, error) { return l.source(to) })
}
