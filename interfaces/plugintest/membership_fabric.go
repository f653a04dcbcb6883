package plugintest

import (
	"bytes"
	"context"
	"fmt"
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
	changed  chan struct{} // closed and replaced when stalled or a station changes
}

type fabricLink struct{ a, b *station }

// station is one life of one node.
type station struct {
	f       *fabric
	node    name.Node
	inc     uint64
	address name.Address
	listed  bool
	plugin  membership.Plugin // nil for a puppet
	held    map[name.Node]bool
	sent    [][]byte // frames that this station sent

	mu     sync.Mutex
	up     bool
	mail   []membership.Input
	got    []membership.Input // puppets: what came
	wake   chan struct{}
	quit   chan struct{}
	ended  chan struct{}
	events []membership.Event
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

func (s *station) plug() {
	env := Env(s.f.T, s.node.String())
	env.Incarnation = s.inc
	s.plugin = s.f.h.New(s.f.T, membership.Env{Env: env, Network: s, Emit: s.emit})
	ctx, cancel := context.WithTimeout(s.f.Context(), Patience)
	defer cancel()
	if err := s.plugin.Start(ctx); err != nil {
		s.f.Fatalf("Start of %s: %v", s.node, err)
	}
}

// end stops the membership and what feeds it. Links stay as they are.
func (s *station) end() {
	s.mu.Lock()
	was := s.up
	s.up = false
	s.mu.Unlock()
	if !was {
		return
	}
	close(s.quit)
	<-s.ended
	if s.plugin != nil {
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		expectStop(ctx, s.f, s.plugin, "Stop of "+s.node.String())
	}
}

func (s *station) isUp() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.up
}

func (s *station) deliver() {
	defer close(s.ended)
	for {
		select {
		case <-s.quit:
			return
		case <-s.wake:
		}
		for in, ok := s.next(); ok; in, ok = s.next() {
			if s.plugin != nil {
				s.plugin.Input(in)
			}
		}
	}
}

func (s *station) next() (membership.Input, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mail) == 0 || !s.up {
		return membership.Input{}, false
	}
	in := s.mail[0]
	s.mail = s.mail[1:]
	if s.plugin == nil {
		s.got = append(s.got, in)
	}
	return in, true
}

func (s *station) post(in membership.Input) {
	s.mu.Lock()
	s.mail = append(s.mail, in)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *station) emit(e membership.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

func (s *station) peer() membership.Peer {
	return membership.Peer{Node: s.node, Incarnation: s.inc, Endpoints: []name.Address{s.address}, Remote: s.address}
}

// Self is part of membership.Network.
func (s *station) Self() []name.Address { return []name.Address{s.address} }

// Connect is part of membership.Network.
func (s *station) Connect(ctx context.Context, node name.Node, known []name.Address) error {
	for {
		done, wait, err := s.tryConnect(node, known)
		if done {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wait:
		}
	}
}

// tryConnect links two stations, or says when to try again.
func (s *station) tryConnect(node name.Node, known []name.Address) (done bool, wait <-chan struct{}, err error) {
	f := s.f
	f.mu.Lock()
	defer f.mu.Unlock()
	to := f.stations[node]
	switch {
	case f.stalled:
		return false, f.changed, nil
	case f.stations[s.node] != s || to == s:
		return true, nil, transport.ErrClosed
	case f.find(s, to) != nil:
		return true, nil, nil
	case to == nil || !to.isUp() || f.isCut(s.node, node) || !to.listed && !slices.Contains(known, to.address):
		return true, nil, fmt.Errorf("%s: %w", node, transport.ErrUnreachable)
	}
	f.replaceDead(s, to)
	f.links = append(f.links, &fabricLink{s, to})
	to.post(membership.Input{Kind: membership.LinkUp, Peer: s.peer()})
	s.post(membership.Input{Kind: membership.LinkUp, Peer: to.peer()})
	return true, nil, nil
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
			f.drop(l, transport.CloseSilent)
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

// Send is part of membership.Network.
func (s *station) Send(node name.Node, frame []byte) error {
	f := s.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(frame) > membership.MaxFrame {
		f.Errorf("%s sends a frame of %d bytes; the most is %d", s.node, len(frame), membership.MaxFrame)
	}
	to := f.stations[node]
	if f.find(s, to) == nil {
		return membership.ErrNoLink
	}
	s.sent = append(s.sent, bytes.Clone(frame))
	to.post(membership.Input{Kind: membership.Frame, Peer: s.peer(), Data: bytes.Clone(frame)})
	return nil
}

// Hold is part of membership.Network.
func (s *station) Hold(node name.Node, hold bool) {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	s.held[node] = hold
}

// Disconnect is part of membership.Network.
func (s *station) Disconnect(node name.Node, code transport.CloseCode, _ string) {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	if l := s.f.find(s, s.f.stations[node]); l != nil {
		s.f.drop(l, code)
	}
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

var _ membership.Network = (*station)(nil)
