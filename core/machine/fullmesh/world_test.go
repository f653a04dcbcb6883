package fullmesh

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

const (
	latency = 10 * time.Millisecond
	silence = 3 * time.Second
)

var errNobody = errors.New("nobody answers")

// world drives a few machines by events in virtual time.
type world struct {
	t     *testing.T
	rng   *rand.Rand
	now   time.Duration
	seq   int
	queue []happening
	nodes []*host
	links []*wire
	cuts  [][2]*host
	trace strings.Builder
	quiet bool
	odd   bool // duplicate links are reported in either order
}

type happening struct {
	at  time.Duration
	seq int
	do  func()
}

// host is one node: its machine, and what it told its user.
type host struct {
	w      *world
	name   name.Node
	inc    uint64
	m      *Machine
	out    Effects
	wakeAt time.Duration
	up     bool
	told   map[name.Node]membership.Event
	peers  map[name.Node]bool
	joined []error
}

// wire is one link between two hosts; cut means that nothing passes any more, and
// nobody has noticed yet.
type wire struct {
	a, b       *host
	incA, incB uint64
	cut        bool
}

func newWorld(t *testing.T, seed uint64) *world {
	return &world{t: t, rng: rand.New(rand.NewPCG(seed, 0))}
}

func testConfig(self name.Node, inc uint64) Config {
	return Config{
		Self: self, Incarnation: inc,
		Retry: time.Second, RetryMax: 30 * time.Second, Suspect: 2 * time.Second,
		DialTimeout: 5 * time.Second, JoinTimeout: 10 * time.Second, Sync: 30 * time.Second,
		ForgetDown: 10 * time.Minute, ForgetLeft: time.Hour, MaxMembers: 64,
	}
}

func (w *world) after(d time.Duration, do func()) {
	w.seq++
	w.queue = append(w.queue, happening{w.now + d, w.seq, do})
}

// run plays until that much time has passed.
func (w *world) run(d time.Duration) {
	for end := w.now + d; ; {
		i := w.earliest()
		h := w.nextTick(end)
		switch {
		case i >= 0 && w.queue[i].at <= end && (h == nil || w.queue[i].at <= h.wakeAt):
			next := w.queue[i]
			w.queue = slices.Delete(w.queue, i, i+1)
			w.now = next.at
			next.do()
		case h != nil:
			w.now = max(w.now, h.wakeAt)
			h.step(Tick())
		default:
			w.now = end
			return
		}
	}
}

func (w *world) earliest() int {
	best := -1
	for i, h := range w.queue {
		if best < 0 || cmp.Or(cmp.Compare(h.at, w.queue[best].at), cmp.Compare(h.seq, w.queue[best].seq)) < 0 {
			best = i
		}
	}
	return best
}

func (w *world) nextTick(end time.Duration) *host {
	var next *host
	for _, h := range w.nodes {
		if h.up && h.wakeAt <= end && (next == nil || h.wakeAt < next.wakeAt) {
			next = h
		}
	}
	return next
}

func (w *world) log(h *host, format string, args ...any) {
	if !w.quiet {
		fmt.Fprintf(&w.trace, "  %7.3fs %s: %s\n", w.now.Seconds(), h.name.Base(), fmt.Sprintf(format, args...))
	}
}

func (w *world) start(base string) *host {
	h := w.node(base)
	if h == nil {
		h = &host{w: w, name: name.MustNode(base + "@h")}
		w.nodes = append(w.nodes, h)
	}
	h.inc++
	h.up, h.told, h.peers = true, map[name.Node]membership.Event{}, map[name.Node]bool{}
	h.m = New(testConfig(h.name, h.inc), rand.New(rand.NewPCG(w.rng.Uint64(), 1)))
	h.step(Tick())
	return h
}

func (w *world) node(base string) *host {
	for _, h := range w.nodes {
		if h.name.Base() == base {
			return h
		}
	}
	return nil
}

func (w *world) byName(n name.Node) *host { return w.node(n.Base()) }

func (h *host) peer() membership.Peer {
	return membership.Peer{Node: h.name, Incarnation: h.inc, Endpoints: []name.Address{name.MustAddress(h.name.Base() + ":1")}}
}

// step feeds the machine, checks it, and carries out what it asks for.
func (h *host) step(in Input) {
	if !h.up {
		return
	}
	h.m.Step(h.w.now, in, &h.out)
	h.wakeAt = h.out.Wake
	if err := h.m.Check(); err != nil {
		h.w.t.Fatalf("%v: %s after %+v: %v", h.w.now, h.name, in, err)
	}
	for _, e := range slices.Clone(h.out.List) {
		h.carry(e)
	}
}

func (h *host) carry(e Effect) {
	w := h.w
	switch e.Kind {
	case Send:
		w.log(h, "send %s %s", e.Node.Base(), frameText(e.Frame))
		w.transmit(h, w.byName(e.Node), e.Frame)
	case Connect:
		w.log(h, "connect %s", e.Node.Base())
		w.dial(h, w.byName(e.Node), e.Timeout)
	case Disconnect:
		w.log(h, "disconnect %s: %s", e.Node.Base(), e.Code)
		w.hangUp(h, w.byName(e.Node), e.Code)
	case Emit:
		w.log(h, "%s %s/%d %s", strings.ToUpper(string(e.Event.Type)), e.Event.Node.Base(), e.Event.Incarnation, e.Event.Reason)
		h.hear(e.Event)
	case JoinDone:
		w.log(h, "join done: %v", e.Err)
		h.joined = append(h.joined, e.Err)
	case LeaveDone:
		w.log(h, "leave done")
	}
}

func frameText(frame []byte) string {
	msg, err := decode(frame)
	if err != nil {
		return err.Error()
	}
	switch msg.kind {
	case kindMembers:
		text := "MEMBERS"
		for _, e := range msg.members {
			text += fmt.Sprintf(" %s/%d", e.node.Base(), e.inc)
		}
		return text
	case kindRefuse:
		return fmt.Sprintf("REFUSE %d %q", msg.code, msg.text)
	}
	return map[kind]string{kindJoin: "JOIN", kindWelcome: "WELCOME", kindLeave: "LEAVE"}[msg.kind]
}

// hear checks that events follow the order that the contract promises.
func (h *host) hear(e membership.Event) {
	last := h.told[e.Node]
	ok := true
	switch e.Type {
	case membership.PeerUp, membership.PeerDown:
		ok = h.peers[e.Node] == (e.Type == membership.PeerDown)
		h.peers[e.Node] = e.Type == membership.PeerUp
	case membership.MemberUp:
		ok = last.Type != membership.MemberUp && e.Incarnation >= last.Incarnation
		h.told[e.Node] = e
	case membership.MemberSuspect:
		ok = last.Type == membership.MemberUp && e.Incarnation == last.Incarnation
		h.told[e.Node] = e
	case membership.MemberDown:
		ok = (last.Type == membership.MemberUp || last.Type == membership.MemberSuspect) && e.Incarnation == last.Incarnation
		h.told[e.Node] = e
	case membership.MemberLeft:
		ok = last.Type != "" && last.Type != membership.MemberLeft && e.Incarnation == last.Incarnation
		h.told[e.Node] = e
	}
	if !ok {
		h.w.t.Fatalf("%v: %s: event %+v after %+v", h.w.now, h.name, e, last)
	}
}

func (w *world) link(a, b *host) *wire {
	for _, l := range w.links {
		if l.a == a && l.b == b || l.a == b && l.b == a {
			return l
		}
	}
	return nil
}

func (w *world) isCut(a, b *host) bool {
	return slices.Contains(w.cuts, [2]*host{a, b}) || slices.Contains(w.cuts, [2]*host{b, a})
}

func (l *wire) inc(h *host) uint64 {
	if l.a == h {
		return l.incA
	}
	return l.incB
}

func (w *world) transmit(from, to *host, frame []byte) {
	l := w.link(from, to)
	if l == nil || l.cut {
		return
	}
	peer := from.peer()
	w.after(latency, func() {
		if !l.cut && l.inc(to) == to.inc {
			to.step(Frame(peer, frame))
		}
	})
}

func (w *world) dial(from, to *host, timeout time.Duration) {
	inc := from.inc
	answer := func(err error) {
		if from.inc == inc {
			from.step(Connected(to.name, err))
		}
	}
	w.after(latency, func() {
		switch l := w.link(from, to); {
		case from.inc != inc || !from.up:
		case !to.up || w.isCut(from, to):
			w.after(min(timeout, time.Second), func() { answer(errNobody) })
		case l != nil && !l.cut && l.inc(to) == to.inc && l.inc(from) == from.inc:
			answer(nil)
		default:
			w.connect(from, to, l)
			answer(nil)
		}
	})
}

// connect makes a link; a dead one of the same pair that nobody has noticed yet is
// reported as the loser of two.
func (w *world) connect(a, b *host, old *wire) {
	over := func() {}
	if old != nil {
		w.forget(old)
		over = func() {
			w.report(old, old.a, transport.CloseDuplicate)
			w.report(old, old.b, transport.CloseDuplicate)
		}
	}
	w.links = append(w.links, &wire{a: a, b: b, incA: a.inc, incB: b.inc})
	late := w.odd && w.rng.IntN(2) == 0
	if !late {
		over()
	}
	b.step(LinkUp(a.peer()))
	a.step(LinkUp(b.peer()))
	if late {
		over()
	}
}

func (w *world) forget(l *wire) {
	w.links = slices.DeleteFunc(w.links, func(other *wire) bool { return other == l })
}

// report tells one end of a link that it is down.
func (w *world) report(l *wire, to *host, code transport.CloseCode) {
	if l.inc(to) != to.inc {
		return
	}
	far := l.a
	if far == to {
		far = l.b
	}
	to.step(LinkDown(membership.Peer{Node: far.name, Incarnation: l.inc(far)}, code))
}

func (w *world) hangUp(a, b *host, code transport.CloseCode) {
	l := w.link(a, b)
	if l == nil {
		return
	}
	w.forget(l)
	w.after(latency, func() {
		if !l.cut {
			w.report(l, b, code)
		}
		w.report(l, a, code)
	})
}

// sever lets a link go silent; both ends notice later, unless a new one comes first.
func (w *world) sever(l *wire, code transport.CloseCode, notice time.Duration) {
	l.cut = true
	w.after(notice, func() {
		if slices.Contains(w.links, l) {
			w.forget(l)
			w.report(l, l.a, code)
			w.report(l, l.b, code)
		}
	})
}

func (w *world) cut(a, b *host) {
	w.cuts = append(w.cuts, [2]*host{a, b})
	if l := w.link(a, b); l != nil && !l.cut {
		w.sever(l, transport.CloseSilent, silence)
	}
}

// kill ends a node; code says whether it could still say so.
func (w *world) kill(h *host, code transport.CloseCode, notice time.Duration) {
	h.up = false
	for _, l := range slices.Clone(w.links) {
		if (l.a == h || l.b == h) && !l.cut {
			w.sever(l, code, notice)
		}
	}
}
