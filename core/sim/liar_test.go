package sim_test

import (
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/liveness"
	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/core/sim"
)

func hostileScenarios() []scenario {
	return []scenario{
		{name: "liar", about: "a member forges the steps of all others: nobody is down", nodes: 40, big: 300, raced: 20, seeds: 2, run: checkLiar},
	}
}

// liar remembers the steps that come by, and tells neighbours that they are further on.
type liar struct {
	steps []liveness.Count
	at    map[overlay.Peer]int
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
	w := newWard(r)
	w.admit(r, nil, func(c *sim.Config[word]) {
		born := c.New
		c.New = func(b sim.Boot) sim.Node[word] {
			n := born(b).(*whole)
			if b.Self == 1 {
				n.liar = &liar{at: map[overlay.Peer]int{}}
			}
			return n
		}
	})
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
