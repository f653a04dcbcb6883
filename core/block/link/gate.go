package link

import (
	"net/netip"
	"slices"
	"sync"

	"github.com/barrelp2p/barrel/interfaces/transport"
)

// gate bounds the inbound handshakes under way, in all and from one place. When it is
// full, whoever has been let in longest without a word makes room: a peer speaks at
// once, so a flood of silent connections costs others nothing.
type gate struct {
	mu      sync.Mutex
	tickets []*ticket // the oldest first
	hosts   map[string]int
}

// ticket is one handshake under way.
type ticket struct {
	gate    *gate
	conn    transport.Conn
	host    string
	greeted bool // the peer has sent a message
}

// enter lets a connection in, or returns nil.
func (g *gate) enter(t transport.Conn) *ticket {
	host := place(t.Info().Remote.Host())
	g.mu.Lock()
	defer g.mu.Unlock()
	crowd := g.hosts[host] >= maxPendingFromIP
	if crowd || len(g.tickets) >= maxPending {
		i := slices.IndexFunc(g.tickets, func(k *ticket) bool { return !k.greeted && (!crowd || k.host == host) })
		if i < 0 {
			return nil
		}
		turnAway(g.tickets[i].conn)
		g.remove(i)
	}
	k := &ticket{gate: g, conn: t, host: host}
	g.tickets = append(g.tickets, k)
	g.hosts[host]++
	return k
}

func turnAway(t transport.Conn) {
	_ = t.Close(transport.CloseBusy, "too many handshakes under way: try again later")
}

func (g *gate) remove(i int) {
	host := g.tickets[i].host
	g.tickets = slices.Delete(g.tickets, i, i+1)
	g.hosts[host]--
	if g.hosts[host] == 0 {
		delete(g.hosts, host)
	}
}

// leave gives the place back; whoever had to make room has none.
func (k *ticket) leave() {
	k.gate.mu.Lock()
	defer k.gate.mu.Unlock()
	if i := slices.Index(k.gate.tickets, k); i >= 0 {
		k.gate.remove(i)
	}
}

// greet notes that the peer has sent a message.
func (k *ticket) greet() {
	k.gate.mu.Lock()
	defer k.gate.mu.Unlock()
	k.greeted = true
}

// place is what counts as one place: an address, or an IPv6 network of the size that
// one customer gets.
func place(host string) string {
	const customer = 64
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.Is4() {
		return host
	}
	prefix, err := addr.WithZone("").Prefix(customer)
	if err != nil {
		return host
	}
	return prefix.String()
}
