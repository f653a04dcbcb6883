package core_test

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/quic-go/quic-go/testutils/simnet"
)

// ether carries packets between hosts at once, unless it was told otherwise.
type ether struct {
	mu    sync.Mutex
	hosts map[string]simnet.PacketReceiver
	dead  map[string]bool      // by IP address, like all that follows
	sides map[string]int       // of a partition; packets do not cross over
	slow  map[string]*slowness // hosts on a bad line
	moved map[string]string    // to which address
}

// slowness is a line on which each packet takes its time, in both directions, and
// which carries so many packets a second; more wait for a moment, and are dropped then.
type slowness struct {
	least, most time.Duration
	pace        time.Duration // between two packets
	last        time.Time     // when the last one gets out
}

// lineQueue is how long a packet may wait for its turn on a bad line.
const lineQueue = 300 * time.Millisecond

// kill takes a host off the network without a word, as if it had lost its power.
func (e *ether) kill(host string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.dead[host] = true
}

// revive puts a host back on the network.
func (e *ether) revive(host string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.dead, host)
}

// split puts hosts on a side of a partition; all are on side 0 at first.
func (e *ether) split(side int, hosts ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, host := range hosts {
		e.sides[host] = side
	}
}

// slowDown puts a host on a bad line.
func (e *ether) slowDown(host string, line *slowness) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.slow[host] = line
}

// move gives a host another address without its knowledge, as a router does that was
// restarted. Nothing that is sent to the one it had arrives.
func (e *ether) move(from, to string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.moved[from] = to
}

// AddNode is of simnet.Router.
func (e *ether) AddNode(addr net.Addr, r simnet.PacketReceiver) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.hosts[addr.String()] = r
}

// SendPacket is of simnet.Router.
func (e *ether) SendPacket(p simnet.Packet) error {
	to, after := e.route(&p)
	switch {
	case to == nil:
	case after > 0:
		time.AfterFunc(after, func() { to.RecvPacket(p) })
	default:
		to.RecvPacket(p)
	}
	return nil
}

// route finds where a packet goes, if it arrives, and for how long it is on its way.
func (e *ether) route(p *simnet.Packet) (to simnet.PacketReceiver, after time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	from, dest := ipOf(p.From), ipOf(p.To)
	to = e.hosts[p.To.String()]
	for old, now := range e.moved {
		switch {
		case dest == old:
			to = nil
		case dest == now:
			to = e.hosts[at(old, p.To).String()]
		}
		if from == old {
			p.From = at(now, p.From)
		}
	}
	if e.dead[dest] || e.dead[from] || e.sides[dest] != e.sides[from] {
		return nil, 0
	}
	for _, line := range []*slowness{e.slow[from], e.slow[dest]} {
		if line != nil && to != nil {
			wait, room := line.delay()
			if after += wait; !room {
				return nil, 0
			}
		}
	}
	return to, after
}

// delay is how long the next packet of a line takes, if there is room for it; packets
// keep their order.
func (s *slowness) delay() (after time.Duration, room bool) {
	now := time.Now()
	out := now.Add(s.least + rand.N(s.most-s.least+1))
	if next := s.last.Add(s.pace); out.Before(next) {
		out = next
	}
	if after = out.Sub(now); after > s.most+lineQueue {
		return 0, false
	}
	s.last = out
	return after, true
}

// at is an address with another host and the same port.
func at(host string, addr net.Addr) net.Addr {
	port := netip.MustParseAddrPort(addr.String()).Port()
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(host), port))
}
