package membershiphyparview

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// seen takes the address at which a peer sees this node. It is that peer's word, so one
// alone is not enough.
func (m *mind) seen(e *entry, text string) {
	addr, err := name.ParseAddress(text)
	if err != nil {
		m.book.refuse.forged++
		return
	}
	e.seenAs = addr.Host()
}

// observers is how many peers have to agree.
const observers = 2

// misplaced says so if peers see this node at a host that it does not advertise, so that
// nobody else would find it there. A host name in the advertised addresses, or peers on
// this machine, say nothing.
func (b *book) misplaced() string {
	own := b.self.endpoints
	seen := map[string]int{}
	for _, e := range b.byPeer {
		if ip, err := netip.ParseAddr(e.seenAs); err == nil && !ip.IsLoopback() {
			seen[e.seenAs]++
		}
	}
	if len(own) == 0 || slices.ContainsFunc(own, func(a name.Address) bool { return !isIP(a.Host()) || seen[a.Host()] > 0 }) {
		return ""
	}
	worst := ""
	for host, n := range seen {
		if n >= observers && (worst == "" || n > seen[worst] || n == seen[worst] && host < worst) {
			worst = host
		}
	}
	if worst == "" {
		return ""
	}
	return fmt.Sprintf("%d peers see this node at %s, which it does not advertise (%s): set transport.quic.advertise", seen[worst], worst, own[0])
}

func isIP(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}
