package plugintest

import (
	"slices"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// MembershipHarness says how to make the membership under test.
type MembershipHarness struct {
	// New makes a plugin that is not started, with timers as short as it allows: what
	// follows from silence should follow within a second or two.
	New func(t T, env membership.Env) membership.Plugin

	// Slow: its timers cannot be made short, so what follows from long silence on all
	// sides is not checked.
	Slow bool

	patience time.Duration // Patience, if zero
}

// Membership checks that a membership keeps the promises of the contract, in a network
// in memory that can be cut, healed and stalled: whoever joins is seen by all, who
// leaves is told from who dies, leaving is sticky, every partition heals, the dead past
// of a node never speaks for it, and nothing a peer sends does harm. All of it is done
// twice: with the membership itself, and with the two halves of the wire between.
func Membership(t *testing.T, h MembershipHarness) {
	t.Helper()
	runAll(t, h, h.checks())
	t.Run("wire", func(t *testing.T) { runAll(t, h.OverWire(), h.checks()) })
}

// MembershipProcess is the suite of a membership for a harness whose memberships live in
// processes of their own.
func MembershipProcess(t *testing.T, h MembershipHarness) {
	t.Helper()
	runAll(t, h, h.checks())
}

func (h MembershipHarness) checks() []check[MembershipHarness] {
	checks := membershipChecks()
	if !h.Slow {
		return checks
	}
	return slices.DeleteFunc(checks, func(c check[MembershipHarness]) bool {
		return c.name == outageCheck || c.name == eventsCheck
	})
}

// The checks that wait for what several long timers bring.
const (
	outageCheck = "an outage heals by itself"
	eventsCheck = "events tell each change once"
)

func membershipChecks() []check[MembershipHarness] {
	return []check[MembershipHarness]{
		{"lifecycle", membershipLifecycle},
		{"alone", membershipAlone},
		{"two nodes join", membershipTwo},
		{"three through one seed", membershipThree},
		{"active links are held", membershipHeld},
		{"join tells why not", membershipJoinErrors},
		{"join honours its context", membershipJoinContext},
		{"leave is told from death", membershipLeave},
		{"leave is sticky until join", membershipSticky},
		{"crash is noticed", membershipCrash},
		{"partition heals", membershipHeal},
		{outageCheck, membershipOutage},
		{"restart begins a new life", membershipRestart},
		{"a new life is linked while the old one seems to last", membershipReborn},
		{"dead past does not speak", membershipPast},
		{"peaceful close is no failure", membershipPeace},
		{"input never blocks", membershipInput},
		{"hostile frames do no harm", membershipHostile},
		{eventsCheck, membershipEvents},
	}
}

func membershipLifecycle(t T, h MembershipHarness) {
	f := newFabric(t, h)
	host := f.puppet("self")
	lifecycle(t, func(t T) plugin.Part {
		return h.New(t, host.lend(Env(t, host.node.String())))
	})
	stopped := h.New(t, host.lend(Env(t, host.node.String())))
	stopped.Input(membership.Input{Kind: membership.LinkUp, Peer: host.peer()})
	stopped.Members()
	stopped.View()
}

func membershipAlone(t T, h MembershipHarness) {
	f := newFabric(t, h)
	a := f.start("a")
	list := a.plugin.Members()
	if len(list) != 1 || list[0].Node != a.node || list[0].State != membership.Alive || list[0].Incarnation != a.inc {
		t.Errorf("Members of a node alone: %+v; want itself, alive, incarnation %d", list, a.inc)
	}
	if v := a.plugin.View(); len(v.Active)+len(v.Passive) != 0 {
		t.Errorf("View of a node alone: %+v", v)
	}
}

func membershipTwo(t T, h MembershipHarness) {
	for _, leaver := range []string{"a", "b"} {
		f := newFabric(t, h)
		a, b := f.start("a"), f.start("b")
		b.join(a)
		f.settled(a, b)
		a.expectLists(a, b)
		b.expectLists(a, b)
		stays, leaves := a, b
		if leaver == "a" {
			stays, leaves = b, a
		}
		leaves.leave()
		stays.sees(leaves, membership.Left) // comes last over that link
		stays.expectOnce(membership.MemberUp, membership.PeerUp)
	}
}

func membershipThree(t T, h MembershipHarness) {
	f := newFabric(t, h)
	seed, b, c := f.start("seed"), f.unlisted("b"), f.unlisted("c")
	b.join(seed)
	c.join(seed)
	f.settled(seed, b, c)
	for _, s := range []*station{seed, b, c} {
		s.expectLists(b, c, seed)
	}
}

func membershipHeld(t T, h MembershipHarness) {
	f := newFabric(t, h)
	a, b := f.start("a"), f.start("b")
	b.join(a)
	f.settled(a, b)
	f.eventually("Hold of the active links", func() bool { return a.holds(b) && b.holds(a) })
	b.leave()
	f.eventually("release of the links after Leave", func() bool { return !a.holds(b) && !b.holds(a) })
}

func membershipLeave(t T, h MembershipHarness) {
	f := newFabric(t, h)
	a, b, c := f.start("a"), f.start("b"), f.start("c")
	b.join(a)
	c.join(a)
	f.settled(a, b, c)
	c.leave()
	c.leave()
	for _, s := range []*station{a, b} {
		s.sees(c, membership.Left)
	}
	if v := c.plugin.View(); len(v.Active) != 0 {
		t.Errorf("View of who left: %+v", v)
	}
	if got := c.state(c); got != membership.Left {
		t.Errorf("who left calls itself %q", got)
	}
	c.join(a)
	f.settled(a, b, c) // what was told of its absence was told before
	for _, s := range []*station{a, b} {
		s.expectNever(c, membership.MemberSuspect, membership.MemberDown)
	}
}

func membershipCrash(t T, h MembershipHarness) {
	f := newFabric(t, h)
	a, b, c := f.start("a"), f.start("b"), f.start("c")
	b.join(a)
	c.join(a)
	f.settled(a, b, c)
	f.crash(c)
	for _, s := range []*station{a, b} {
		s.sees(c, membership.Down)
	}
	if a.state(b) != membership.Alive {
		t.Errorf("the death of c changed b to %q", a.state(b))
	}
	c2 := f.start("c")
	c2.join(a)
	f.settled(a, b, c2) // what was told of the death was told before
	for _, s := range []*station{a, b} {
		s.expectNever(c, membership.MemberLeft)
	}
}

func membershipHeal(t T, h MembershipHarness) {
	f := newFabric(t, h)
	a, b, c := f.start("a"), f.start("b"), f.start("c")
	b.join(a)
	c.join(a)
	f.settled(a, b, c)
	f.cut(c, a, b)
	f.downAcross(c, a, b)
	if a.state(b) != membership.Alive {
		t.Errorf("the cut off of c changed b to %q", a.state(b))
	}
	f.heal()
	f.settled(a, b, c)
}

// downAcross waits until each side of a cut holds the other for dead.
func (f *fabric) downAcross(from *station, others ...*station) {
	f.Helper()
	for _, to := range others {
		from.sees(to, membership.Down)
		to.sees(from, membership.Down)
	}
}

// membershipOutage: nobody reaches anybody, and when that is over all are whole again
// without a Join. Each says that it is alone, and when it is no more.
func membershipOutage(t T, h MembershipHarness) {
	f := newFabric(t, h)
	a, b, c := f.start("a"), f.unlisted("b"), f.unlisted("c")
	b.join(a)
	c.join(a)
	f.settled(a, b, c)
	f.cut(a, b, c)
	f.cut(b, c)
	for _, s := range []*station{a, b, c} {
		s.expectIsolated(true)
	}
	f.downAcross(a, b, c)
	f.downAcross(b, c)
	f.heal()
	f.settled(a, b, c)
	for _, s := range []*station{a, b, c} {
		s.expectIsolated(false)
		s.expectOrder()
	}
}

func membershipEvents(t T, h MembershipHarness) {
	f := newFabric(t, h)
	a, b, c := f.start("a"), f.start("b"), f.start("c")
	b.join(a)
	c.join(a)
	c.join(b)
	f.settled(a, b, c)
	f.cut(c, a, b)
	f.downAcross(c, a, b)
	f.heal()
	f.settled(a, b, c)
	b.end() // nobody notices: its links stay until the new life comes
	b2 := f.start("b")
	b2.join(a)
	f.settled(a, b2, c)
	c.leave()
	for _, s := range []*station{a, b2} {
		s.sees(c, membership.Left)
		c.hears(s, membership.MemberDown)
	}
	c.join(a)
	f.settled(a, b2, c)
	f.crash(c)
	a.sees(c, membership.Down)
	b2.sees(c, membership.Down)
	for _, s := range []*station{a, b2, c} {
		s.expectOrder()
	}
}
