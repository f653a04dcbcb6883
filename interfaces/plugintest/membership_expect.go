package plugintest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
)

func (s *station) tryJoin(through name.Node) error {
	ctx, cancel := context.WithTimeout(s.f.Context(), Patience)
	defer cancel()
	return s.plugin.Join(ctx, through)
}

func (s *station) join(through *station) {
	s.f.Helper()
	if err := s.tryJoin(through.node); err != nil {
		s.f.Fatalf("%s: Join through %s: %v", s.node, through.node, err)
	}
}

func (s *station) leave() {
	s.f.Helper()
	ctx, cancel := context.WithTimeout(s.f.Context(), Patience)
	defer cancel()
	if err := s.plugin.Leave(ctx); err != nil {
		s.f.Fatalf("%s: Leave: %v", s.node, err)
	}
}

// settled waits until each of the stations is alive at its incarnation for all of
// them, and a neighbour of the others, and until they were told so.
func (f *fabric) settled(all ...*station) {
	f.Helper()
	for _, s := range all {
		for _, other := range all {
			f.eventually(s.node.String()+" sees "+other.node.String()+" alive, as a neighbour", func() bool {
				m := s.member(other)
				return m.State == membership.Alive && m.Incarnation == other.inc && (s == other || m.Neighbour && s.near(other))
			})
			if s != other {
				s.hears(other, membership.MemberUp)
				s.hearsNear(other, true)
			}
		}
	}
}

// sees waits until other, which was a neighbour and is no more, has this state for s,
// and until s was told so.
func (s *station) sees(other *station, want membership.State) {
	s.f.Helper()
	s.f.eventually(fmt.Sprintf("%s sees that %s is %s", s.node, other.node.Base(), want), func() bool { return s.state(other) == want })
	s.f.eventually(fmt.Sprintf("%s has %s out of its active view", s.node, other.node), func() bool { return !s.near(other) })
	told := membership.MemberDown
	if want == membership.Left {
		told = membership.MemberLeft
	}
	s.hears(other, told)
	s.hearsNear(other, false)
}

// hears waits until this is what s was told last of that life. An event may come a
// moment after Members shows what it is about.
func (s *station) hears(other *station, want membership.EventType) {
	s.f.Helper()
	s.f.eventually(fmt.Sprintf("%s is told %q of %s last", s.node, want, other.node), func() bool {
		last := membership.EventType("")
		for _, e := range s.about(other) {
			if e.Incarnation == other.inc {
				last = e.Type
			}
		}
		return last == want
	})
}

// hearsNear is hears for the peer events of a node, of whatever life.
func (s *station) hearsNear(other *station, want bool) {
	s.f.Helper()
	s.f.eventually(fmt.Sprintf("%s is told of %s last that it is a neighbour: %v", s.node, other.node, want), func() bool {
		near := false
		for _, e := range s.told() {
			if e.Node == other.node && (e.Type == membership.PeerUp || e.Type == membership.PeerDown) {
				near = e.Type == membership.PeerUp
			}
		}
		return near == want
	})
}

func (s *station) member(other *station) membership.Member {
	for _, m := range s.plugin.Members() {
		if m.Node == other.node {
			return m
		}
	}
	return membership.Member{}
}

func (s *station) state(other *station) membership.State { return s.member(other).State }

func (s *station) near(other *station) bool {
	return slices.Contains(s.plugin.View().Active, other.node)
}

func (s *station) holds(other *station) bool {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	return s.held[other.node]
}

func (f *fabric) linked(a, b *station) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.find(a, b) != nil
}

func (s *station) frames() [][]byte {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	return slices.Clone(s.sent)
}

func (s *station) told() []membership.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

// about lists the member events about a node.
func (s *station) about(other *station) []membership.Event {
	return slices.DeleteFunc(s.told(), func(e membership.Event) bool {
		return e.Node != other.node || !strings.HasPrefix(string(e.Type), "member")
	})
}

// expectLists checks that Members is these nodes, sorted, with addresses, and that
// View is the same without the node itself.
func (s *station) expectLists(want ...*station) {
	s.f.Helper()
	var members, others, seen []name.Node
	for _, w := range want {
		members = append(members, w.node)
		if w != s {
			others = append(others, w.node)
		}
	}
	for i, m := range s.plugin.Members() {
		seen = append(seen, m.Node)
		if len(want) > i && !slices.Equal(m.Endpoints, []name.Address{want[i].address}) {
			s.f.Errorf("%s: endpoints of %s are %v, want %v", s.node, m.Node, m.Endpoints, want[i].address)
		}
		if len(want) > i && m.Key != want[i].peer().Key {
			s.f.Errorf("%s: the key of %s is %v, want %v", s.node, m.Node, m.Key, want[i].peer().Key)
		}
		if m.Since.IsZero() {
			s.f.Errorf("%s: member %s has no Since", s.node, m.Node)
		}
	}
	if !slices.Equal(seen, members) {
		s.f.Errorf("%s: Members are %v, want %v, sorted", s.node, seen, members)
	}
	if v := s.plugin.View(); !slices.Equal(v.Active, others) {
		s.f.Errorf("%s: View is %v, want %v active, sorted, without itself", s.node, v, others)
	}
}

// expectOnce checks that each of these events was told exactly once. The caller has
// seen the event of something later, so that none of these is still on its way.
func (s *station) expectOnce(types ...membership.EventType) {
	s.f.Helper()
	for _, want := range types {
		n := 0
		for _, e := range s.told() {
			if e.Type == want {
				n++
			}
		}
		if n != 1 {
			s.f.Errorf("%s: event %q told %d times, want once", s.node, want, n)
		}
	}
}

// expectNever checks that none of these events was told. The caller has seen the event
// of something later, so that none of these is still on its way.
func (s *station) expectNever(about *station, types ...membership.EventType) {
	s.f.Helper()
	for _, e := range s.about(about) {
		if slices.Contains(types, e.Type) {
			s.f.Errorf("%s: %q told of %s, which it was not", s.node, e.Type, about.node)
		}
	}
}

// expectOrder checks the whole history: peer events alternate; member events follow
// the states of the contract and never go back to an earlier incarnation. The caller has
// waited for the events.
func (s *station) expectOrder() {
	s.f.Helper()
	near := map[name.Node]bool{}
	last := map[name.Node]membership.Event{}
	for i, e := range s.told() {
		switch e.Type {
		case membership.Isolated, membership.Connected:
			if now := e.Type == membership.Isolated; e.Node != s.node || now != !slices.Contains(slices.Collect(maps.Values(near)), true) {
				s.f.Errorf("%s: event %d, %q of %s, is not what the peer events say", s.node, i, e.Type, e.Node)
			}
			continue
		case membership.Partitioned, membership.Healed:
			continue
		case membership.PeerUp, membership.PeerDown:
			up := e.Type == membership.PeerUp
			if near[e.Node] == up {
				s.f.Errorf("%s: event %d, %q of %s, repeats what was told", s.node, i, e.Type, e.Node)
			}
			near[e.Node] = up
		default:
			if why := misfit(last[e.Node], e); why != "" {
				s.f.Errorf("%s: event %d, %q of %s at incarnation %d, %s", s.node, i, e.Type, e.Node, e.Incarnation, why)
			}
			last[e.Node] = e
		}
		if e.Node == s.node || e.Incarnation == 0 {
			s.f.Errorf("%s: event %d, %q, is about itself or about no life", s.node, i, e.Type)
		}
	}
}

// expectIsolated waits until what the station was told last of itself is that it is
// isolated, or that it is not.
func (s *station) expectIsolated(want bool) {
	s.f.Helper()
	s.f.eventually(fmt.Sprintf("%s is told last that it is isolated: %v", s.node, want), func() bool {
		isolated := false
		for _, e := range s.told() {
			if e.Node == s.node && (e.Type == membership.Isolated || e.Type == membership.Connected) {
				isolated = e.Type == membership.Isolated
			}
		}
		return isolated == want
	})
}

// misfit says why e cannot follow last; "" if it can.
func misfit(last, e membership.Event) string {
	switch {
	case e.Incarnation < last.Incarnation:
		return "is about the dead past"
	case e.Type == last.Type && e.Incarnation == last.Incarnation:
		return "repeats what was told"
	case e.Incarnation > last.Incarnation && e.Type != membership.MemberUp:
		return "is about a life that was never up"
	case e.Incarnation > last.Incarnation && (last.Type == membership.MemberUp || last.Type == membership.MemberSuspect):
		return "comes before the life before it was down"
	case e.Type == membership.MemberSuspect && last.Type != membership.MemberUp:
		return "does not follow up"
	case e.Type == membership.MemberDown && last.Type == membership.MemberLeft:
		return "follows left"
	}
	return ""
}
