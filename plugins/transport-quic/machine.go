package transportquic

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// machine is the addresses of this machine. It is asked at every turn, so it looks only
// now and then. Safe for concurrent use.
type machine struct {
	look func() []netip.Addr

	mu      sync.Mutex
	looked  time.Time
	seen    []netip.Addr
	state   uint64     // grows whenever they change
	changed time.Time  // when it did last
	home    netip.Addr // was one of them once
}

const (
	// lookAgain is for how long what was seen counts: a move is noticed that much later.
	lookAgain = 500 * time.Millisecond
	// settling is for how long after the addresses the routes may still change: most
	// systems have a new address before the route that prefers it.
	settling = 10 * time.Second
)

func (m *machine) addresses() []netip.Addr {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refresh()
	return m.seen
}

// version stands for the addresses: it is another when they are, and never 0. settled:
// they have been the same for so long that the routes are made.
func (m *machine) version() (state uint64, settled bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refresh()
	return m.state, time.Since(m.changed) > settling
}

func (m *machine) refresh() {
	if m.seen != nil && time.Since(m.looked) <= lookAgain {
		return
	}
	now := m.look()
	m.looked = time.Now()
	if m.state == 0 || !slices.Equal(now, m.seen) {
		m.state++
		m.changed = m.looked
	}
	m.seen = now
}

// moved reports that the machine had an address and has others now. One that it never
// had is forwarded to it by somebody, and stays right whatever addresses it has.
func (m *machine) moved(from netip.Addr) bool {
	now := m.addresses()
	m.mu.Lock()
	defer m.mu.Unlock()
	if slices.Contains(now, from) {
		m.home = from
		return false
	}
	return m.home == from && slices.ContainsFunc(now, func(a netip.Addr) bool { return a.IsGlobalUnicast() })
}

// machineAddresses lists the addresses of the network interfaces of this machine.
func machineAddresses() []netip.Addr {
	networks, err := net.InterfaceAddrs()
	if err != nil {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	}
	var addresses []netip.Addr
	for _, network := range networks {
		if prefix, err := netip.ParsePrefix(network.String()); err == nil {
			addresses = append(addresses, prefix.Addr().Unmap())
		}
	}
	return addresses
}
