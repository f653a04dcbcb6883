package plugintest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

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
	made    sync.Once
	key     ed25519.PrivateKey // see private

	mu     sync.Mutex
	up     bool
	mail   []membership.Input
	got    []membership.Input // puppets: what came
	wake   chan struct{}
	quit   chan struct{}
	ended  chan struct{}
	events []membership.Event
}

func (s *station) plug() {
	env := Env(s.f.T, s.node.String())
	env.Incarnation = s.inc
	s.plugin = s.f.h.New(s.f.T, s.lend(env))
	s.f.Cleanup(func() { // before the folder of env goes, in which a plugin may write, and what the plugin stands on
		s.f.stall(false)
		s.end()
	})
	ctx, cancel := context.WithTimeout(s.f.Context(), Patience)
	defer cancel()
	if err := s.plugin.Start(ctx); err != nil {
		s.f.Fatalf("Start of %s: %v", s.node, err)
	}
}

// lend is what the plugin of the station gets.
func (s *station) lend(env plugin.Env) membership.Env {
	return membership.Env{
		Env: env, Network: s, Emit: s.emit,
		Signer: seal{s.private()}, Vet: func(name.Node, trust.Key) error { return nil },
	}
}

// private is the key of the node, the same in all its lives.
func (s *station) private() ed25519.PrivateKey {
	s.made.Do(func() {
		seed := sha256.Sum256([]byte(s.node.String()))
		s.key = ed25519.NewKeyFromSeed(seed[:])
	})
	return s.key
}

// seal signs for membership.
type seal struct{ private ed25519.PrivateKey }

// Public is part of trust.Signer.
func (s seal) Public() (key trust.Key) {
	copy(key[:], s.private[ed25519.SeedSize:])
	return key
}

// Sign is part of trust.Signer.
func (s seal) Sign(message []byte) [64]byte {
	return [64]byte(ed25519.Sign(s.private, trust.Signed(trust.ForMembership, message)))
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
	if e.Type == membership.MemberUp {
		s.f.outlived(s, e.Node, e.Incarnation)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

func (s *station) peer() membership.Peer {
	return membership.Peer{
		Node: s.node, Key: seal{s.private()}.Public(), Incarnation: s.inc,
		Endpoints: []name.Address{s.address}, Remote: s.address,
	}
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
		f.hangs = true
		return false, f.changed, nil
	case f.stations[s.node] != s || to == s:
		return true, nil, transport.ErrClosed
	case f.find(s, to) != nil:
		f.find(s, to).surplus = false
		return true, nil, nil
	case to == nil || !to.isUp() || f.isCut(s.node, node) || !to.listed && !slices.Contains(known, to.address):
		return true, nil, fmt.Errorf("%s: %w", node, transport.ErrUnreachable)
	}
	f.replaceDead(s, to)
	f.links = append(f.links, &fabricLink{a: s, b: to})
	to.post(membership.Input{Kind: membership.LinkUp, Peer: s.peer()})
	s.post(membership.Input{Kind: membership.LinkUp, Peer: to.peer()})
	return true, nil, nil
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
	if l := s.f.find(s, s.f.stations[node]); l != nil {
		l.surplus = l.surplus && !hold
		s.f.collect(l)
	}
}

// Disconnect is part of membership.Network. A link that is only let go stays while the
// other end holds it.
func (s *station) Disconnect(node name.Node, code transport.CloseCode, _ string) {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	l := s.f.find(s, s.f.stations[node])
	switch {
	case l == nil:
	case code == transport.CloseDropped, code == transport.CloseIdle:
		s.held[node], l.surplus = false, true
		s.f.collect(l)
	default:
		s.f.drop(l, code)
	}
}

// collect ends a link that a membership has let go once no other holds it. The caller
// holds f.mu.
func (f *fabric) collect(l *fabricLink) {
	if l.surplus && !l.a.held[l.b.node] && !l.b.held[l.a.node] {
		f.drop(l, transport.CloseIdle)
	}
}

// Broadcast is part of membership.Network: it reaches whom links lead to.
func (s *station) Broadcast(data []byte) error {
	if len(data) > membership.MaxBroadcast {
		return membership.ErrTooLarge
	}
	f := s.f
	f.mu.Lock()
	defer f.mu.Unlock()
	reached := map[*station]bool{s: true}
	for queue := []*station{s}; len(queue) > 0; queue = queue[1:] {
		for _, l := range f.links {
			if to := l.other(queue[0]); to != nil && !reached[to] {
				reached[to] = true
				queue = append(queue, to)
				to.post(membership.Input{Kind: membership.Broadcast, Peer: queue[0].peer(), Data: bytes.Clone(data)})
			}
		}
	}
	return nil
}

// Flush is part of membership.Network: what was posted comes before what will be.
func (s *station) Flush(context.Context) error { return nil }

var _ membership.Network = (*station)(nil)
