package transportquic

import (
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// way is by which local address the packets of a connection leave.
type way struct {
	mu     sync.Mutex
	from   netip.Addr // the zero value until it is known
	asOf   uint64     // the state of the machine's addresses when it was found out; 0: to be asked again
	astray bool
}

// look finds out whether packets leave from another address than they did. Once the
// machine has settled with its addresses, that is not asked again until they change.
func (w *way) look(here *machine, source func() (netip.Addr, error)) (astray bool) {
	state, settled := here.version()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.asOf == state {
		return w.astray
	}
	now, err := source()
	if err != nil {
		return false // there is no way at all: nowhere to go
	}
	if !w.from.IsValid() {
		w.from = now
	}
	w.asOf, w.astray = 0, now != w.from
	if settled {
		w.asOf = state
	}
	return w.astray
}

// lost reports that the machine had an address, by which the packets leave, and has it no
// more. One that it never had is its own in some other manner, and stays.
func (w *way) lost(local netip.Addr, here []netip.Addr) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if slices.Contains(here, local) {
		w.from = local
		return false
	}
	return w.from == local
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

// Astray reports that the packets of a connection that was dialed leave from another
// local address than when it was made or last moved. Those of one that was accepted
// leave from the address that the peer dialed, wherever the routes lead: it is astray
// when the machine has lost that address, and has another way to the peer. A connection
// on a socket with an address of its own, or on a path of somebody's making, never is.
func (c *conn) Astray() bool {
	l := c.life
	if l.source == nil || !l.bound.Addr().IsUnspecified() || c.dialed && c.at.Load().private {
		return false
	}
	local, remote := c.addresses()
	to, err := netip.ParseAddrPort(remote.String())
	if err != nil {
		return false
	}
	source := func() (netip.Addr, error) { return l.source(to) }
	if c.dialed {
		return c.way.look(l.here, source)
	}
	at, err := netip.ParseAddrPort(local.String())
	if err != nil || at.Addr().IsUnspecified() || !c.way.lost(at.Addr().WithZone(""), l.here.addresses()) {
		return false
	}
	_, err = source()
	return err == nil
}
