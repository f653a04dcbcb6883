package plugintest

import (
	"slices"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// fabric is a small network in memory: stations, each with a membership under test or
// a puppet of the check, and links between them. Each station takes its inputs in
// order, from a goroutine of its own. Discovery knows the listed stations only; who
// wants another must have heard its address.
type fabric struct {
	T
	h        MembershipHarness
	mu       sync.Mutex
	stations map[name.Node]*station
	links    []*fabricLink
	cuts     [][2]name.Node
	stalled  bool
	hangs    bool          // a Connect has met a stall
	changed  chan struct{} // closed and replaced when stalled or a station changes
}

type fabricLink struct {
	a, b    *station
	surplus bool // a membership has let it go
}

// other is the end that is not s, nil if neither is.
func (l *fabricLink) other(s *station) *station {
	switch s {
	case l.a:
		return l.b
	case l.b:
		return l.a
	}
	return nil
}

func newFabric(t T, h MembershipHarness) *fabric {
	f := &fabric{T: t, h: h, stations: map[name.Node]*station{}, changed: make(chan struct{})}
	t.Cleanup(func() {
		f.stall(false)
		for _, s := range f.list() {
			s.end()
		}
	})
	return f
}

func (f *fabric) list() []*station {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []*station
	for _, s := range f.stations {
		all = append(all, s)
	}
	return all
}

// start gives a node a new life: incarnation 1, or one more than before.
func (f *fabric) start(base string) *station { return f.begin(base, true, false) }

// unlisted is start for a node that discovery does not know.
func (f *fabric) unlisted(base string) *station { return f.begin(base, false, false) }

// puppet starts a node without a membership; the check speaks for it.
func (f *fabric) puppet(base string) *station { return f.begin(base, true, true) }

func (f *fabric) begin(base string, listed, puppet bool) *station {
	f.Helper()
	s := &station{
		f: f, node: name.MustNode(base + "@fabric"), inc: 1, address: name.MustAddress(base + ":1"), listed: listed, up: true,
		held: map[name.Node]bool{}, wake: make(chan struct{}, 1), quit: make(chan struct{}), ended: make(chan struct{}),
	}
	f.mu.Lock()
	if old := f.stations[s.node]; old != nil {
		s.inc = old.inc + 1
	}
	f.stations[s.node] = s
	f.mu.Unlock()
	if !puppet {
		s.plug()
	}
	go s.deliver()
	return s
}

// find returns the link between two lives. The caller holds f.mu.
func (f *fabric) find(a, b *station) *fabricLink {
	for _, l := range f.links {
		if l.a == a && l.b == b || l.a == b && l.b == a {
			return l
		}
	}
	return nil
}

// replaceDead ends links between earlier lives of the pair. The caller holds f.mu.
func (f *fabric) replaceDead(a, b *station) {
	for _, l := range slices.Clone(f.links) {
		if l.a.node == a.node && l.b.node == b.node || l.a.node == b.node && l.b.node == a.node {
			f.drop(l, transport.CloseRestarted)
		}
	}
}

// outlived ends the link to an earlier life of a node of which s knows a later one.
func (f *fabric) outlived(s *station, node name.Node, inc uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range slices.Clone(f.links) {
		if to := l.other(s); to != nil && to.node == node && to.inc < inc {
			f.drop(l, transport.CloseRestarted)
		}
	}
}

// drop ends a link at both ends. The caller holds f.mu.
func (f *fabric) drop(l *fabricLink, code transport.CloseCode) {
	f.links = slices.DeleteFunc(f.links, func(other *fabricLink) bool { return other == l })
	l.a.post(membership.Input{Kind: membership.LinkDown, Peer: l.b.peer(), Code: code, Text: code.String()})
	l.b.post(membership.Input{Kind: membership.LinkDown, Peer: l.a.peer(), Code: code, Text: code.String()})
}

func (f *fabric) isCut(a, b name.Node) bool {
	return slices.Contains(f.cuts, [2]name.Node{a, b}) || slices.Contains(f.cuts, [2]name.Node{b, a})
}

// cut separates groups of nodes; links between them fall silently.
func (f *fabric) cut(from *station, others ...*station) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, to := range others {
		f.cuts = append(f.cuts, [2]name.Node{from.node, to.node})
		if l := f.find(from, to); l != nil {
			f.drop(l, transport.CloseSilent)
		}
	}
}

func (f *fabric) heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cuts = nil
}

// closeLink ends a link with a code, if there is one.
func (f *fabric) closeLink(a, b *station, code transport.CloseCode) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l := f.find(a, b); l != nil {
		f.drop(l, code)
	}
}

// crash ends a life without a word.
func (f *fabric) crash(s *station) {
	s.end()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range slices.Clone(f.links) {
		if l.a == s || l.b == s {
			f.drop(l, transport.CloseSilent)
		}
	}
}

// stall lets every Connect hang until its context ends.
func (f *fabric) stall(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stalled = on
	close(f.changed)
	f.changed = make(chan struct{})
}

// hanging reports that a Connect hangs, or did.
func (f *fabric) hanging() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hangs
}

// eventually is Eventually with the patience of the harness.
func (f *fabric) eventually(missing string, cond func() bool) {
	f.Helper()
	patience := f.h.patience
	if patience == 0 {
		patience = Patience
	}
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			f.Fatalf("%s: not within %v", missing, patience)
		}
	}
}
