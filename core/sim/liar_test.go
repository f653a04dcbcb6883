package sim_test

import (
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/liveness"
	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/core/machine/plumtree"
	"github.com/barrelp2p/barrel/core/sim"
)

func hostileScenarios() []scenario {
	return []scenario{
		{name: "liar", about: "a member forges the steps of all others: nobody is down", nodes: 40, big: 300, raced: 20, seeds: 2, run: checkLiar},
		{name: "claimer", about: "a member uses the numbers of others' broadcasts before they do: what is hidden is found", nodes: 60, big: 500, raced: 20, run: checkClaimer},
	}
}

// liar remembers the steps that come by, and tells neighbours that they are further on. It remembers
// the numbers of broadcasts, and uses the next ones of others itself.
type liar struct {
	steps []liveness.Count
	at    map[overlay.Peer]int
	last  map[uint64]plumtree.ID // by origin
}

func newLiar() *liar {
	return &liar{at: map[overlay.Peer]int{}, last: map[uint64]plumtree.ID{}}
}

// opClaim has a liar use the next numbers of a node's broadcasts.
const opClaim overlay.Op = 97

func (l *liar) count(m *plumtree.Message) {
	if m.Kind == plumtree.Gossip && m.ID.Seq > l.last[m.ID.Origin].Seq {
		l.last[m.ID.Origin] = m.ID
	}
}

func (n *whole) claim(victim overlay.Peer) {
	id := n.liar.last[uint64(victim)]
	for range 8 {
		id.Seq++
		for _, p := range n.hv.Active(nil) {
			msg := plumtree.Message{Kind: plumtree.Gossip, ID: id, Round: 1, Key: 1}
			n.out.Sends = append(n.out.Sends, overlay.Send[word]{To: p, Class: overlay.Payload, Mode: overlay.Stream, Msg: word{pt: &msg}})
		}
	}
}

// nearLiar is a ward whose first node is a liar.
func nearLiar(r round) *ward {
	w := newWard(r)
	w.admit(r, nil, func(c *sim.Config[word]) {
		born := c.New
		c.New = func(b sim.Boot) sim.Node[word] {
			n := born(b).(*whole)
			if b.Self == 1 {
				n.liar = newLiar()
			}
			return n
		}
	})
	return w
}

// checkClaimer: a broadcast of which the number was seen before is dropped by all. Others learn of it by the
// steps that follow, and by comparison.
func checkClaimer(t *testing.T, r round) {
	w := nearLiar(r)
	victim := overlay.Peer(2 + w.rng.IntN(r.nodes-1))
	before := w.Node(victim).(*whole).lv
	w.Command(victim, overlay.Command{Op: overlay.OpRenew}) // so that the liar hears of its numbers
	w.RunFor(5 * time.Second)
	w.Command(1, overlay.Command{Op: opClaim, Peer: victim})
	w.RunFor(2 * time.Second)
	ref, _ := before.Stamp()
	w.Command(victim, overlay.Command{Op: overlay.OpRenew})
	w.RunFor(300 * time.Millisecond) // a broadcast has arrived by now, a comparison hardly
	if n := w.knowing(victim, ref+1); n > r.nodes/2 {
		t.Fatalf("%d nodes have heard what was to be hidden", n)
	}
	took := 300*time.Millisecond + w.until(20*time.Second, func() bool { return w.knowing(victim, ref+1) == r.nodes })
	if took > 10*time.Second {
		t.Errorf("all have learned after %v what was hidden, want 10 s", took)
	}
	if n := w.count(overlay.MemberDown, anybody); n > 0 {
		t.Errorf("%d times somebody was taken for down", n)
	}
	checked(t, w.World)
}

// knowing counts the nodes that know a stamp of a member in its first life.
func (w *ward) knowing(p overlay.Peer, ref uint32) (n int) {
	for _, q := range w.Living() {
		if w.Node(q).(*whole).lv.Past(p, 1, ref) {
			n++
		}
	}
	return n
}

// opLie has a liar forge the step of every member, to every neighbour.
const opLie overlay.Op = 98

// ahead is how many steps a liar adds: as many as others believe.
const ahead = 16

func (l *liar) hear(m *liveness.Message) {
	for _, c := range m.Counts {
		i, known := l.at[c.Peer]
		if !known {
			i = len(l.steps)
			l.at[c.Peer] = i
			l.steps = append(l.steps, c)
		}
		l.steps[i] = c
	}
}

func (n *whole) lie() {
	forged := make([]liveness.Count, len(n.liar.steps))
	for i, c := range n.liar.steps {
		c.Count, c.Age = c.Count+ahead, 0
		forged[i] = c
	}
	for _, p := range n.hv.Active(nil) {
		n.out.Sends = append(n.out.Sends, overlay.Send[word]{To: p, Class: overlay.Counter, Mode: overlay.Stream, Msg: word{lv: &liveness.Message{Kind: liveness.Counters, Counts: forged}}})
	}
}

// checkLiar: forged steps hide the true ones. Those whose steps are hidden are asked to speak before
// they expire; they do so at most once in the time in which a counter expires, less what
// it takes to ask.
func checkLiar(t *testing.T, r round) {
	w := nearLiar(r)
	const minutes = 2
	before := w.refuted()
	for range minutes * 60 {
		w.Command(1, overlay.Command{Op: opLie})
		w.RunFor(time.Second)
	}
	spoken := w.refuted() - before
	if most := uint64(minutes * 6 * r.nodes); spoken < uint64(r.nodes) || spoken > most {
		t.Errorf("members had to speak %d times in %d minutes; want that lies are noticed, and %d at most", spoken, minutes, most)
	}
	if n := w.count(overlay.PeerDown, anybody); n > r.nodes {
		t.Errorf("lies had %d ends of links go in %d minutes, want %d at most", n, minutes, r.nodes)
	}
	w.RunFor(30 * time.Second)
	before = w.refuted()
	w.RunFor(time.Minute)
	if again := w.refuted() - before; again > uint64(r.nodes)/100 {
		t.Errorf("members had to speak %d times in the minute after the lies", again)
	}
	if n := w.count(overlay.MemberDown, anybody) + w.count(overlay.MemberSuspect, anybody); n > 0 {
		t.Errorf("%d times somebody was taken for suspect or down", n)
	}
	checked(t, w.World)
}

// refuted is how often members have said that they live.
func (w *ward) refuted() (n uint64) {
	for _, p := range w.Living() {
		n += w.Node(p).(*whole).lv.Stats().Refuted
	}
	return n
}
