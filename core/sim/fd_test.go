package sim_test

import (
	"slices"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/liveness"
	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/core/sim"
)

func livenessScenarios() []scenario {
	return []scenario{
		{name: "fd-1", about: "a process is killed: everybody knows within 9 s", nodes: 200, big: 2000, raced: 40, twin: 40, run: checkKilled},
		{name: "fd-2", about: "a process restarts at once: its new life supersedes the old", nodes: 100, big: 1000, raced: 40, twin: 40, run: checkRestarted},
		{name: "fd-3", about: "a process is frozen for 2 s, then for 30 s", nodes: 100, big: 1000, raced: 40, twin: 40, run: checkFrozen},
		{name: "fd-4", about: "one link is broken for an hour: nobody is down", nodes: 20, big: 100, raced: 10, run: checkBrokenLink},
		{name: "fd-5", about: "1 % of the nodes lose 80 % of what comes in", nodes: 100, big: 1000, raced: 20, twin: 20, run: checkLossy},
		{name: "fd-6", about: "1 % of the nodes hear nothing for 20 s of 40", nodes: 100, big: 1000, raced: 20, twin: 20, run: checkOnOff},
		{name: "fd-7", about: "10 % of the nodes stall for half a second again and again", nodes: 60, big: 100, raced: 20, run: checkStalls},
		{name: "fd-8", about: "half of the nodes are killed at once", nodes: 200, big: 2000, raced: 60, twin: 60, run: checkHalfKilled},
		{name: "fd-9", about: "a partition longer than anybody is remembered, and its end", nodes: 60, big: 500, raced: 20, run: checkSplit},
		{name: "fd-10", about: "clocks are off by an hour", nodes: 100, big: 1000, raced: 40, twin: 40, run: checkSkew},
		{name: "fd-11", about: "neighbours are thrown out for others all the time, until the overlay falls into islands: nobody is down", nodes: 12, raced: 12, seeds: 10, run: checkIslands},
		{name: "fd-12", about: "a process is killed, started again, and killed a second later: everybody knows within 9 s", nodes: 4, big: 100, raced: 4, seeds: 10, run: checkShortLife},
	}
}

// FD-1.
func checkKilled(t *testing.T, r round) {
	w := admit(r, nil)
	w.killOne(t, "FD-1")
	checked(t, w.World)
}

// killOne kills a node and sees when its neighbours and everybody notice.
func (w *ward) killOne(t *testing.T, id string) {
	t.Helper()
	victim := w.anyone()
	w.events = nil
	at := w.Now()
	w.Kill(victim)
	w.RunFor(20 * time.Second)
	if last, n := w.last(overlay.PeerDown, victim); n == 0 || last-at > 4*time.Second {
		t.Errorf("%s: %d neighbours noticed within %v, want 4 s", id, n, last-at)
	}
	last, n := w.last(overlay.MemberDown, victim)
	if n != len(w.Living()) || last-at > 9*time.Second {
		t.Errorf("%s: %d of %d took it for down within %v, want 9 s", id, n, len(w.Living()), last-at)
	}
	if median := w.median(overlay.MemberDown) - at; median > 7500*time.Millisecond {
		t.Errorf("%s: half took it for down within %v, want 7.5 s", id, median)
	}
	if n := w.count(overlay.MemberDown, func(p overlay.Peer) bool { return p != victim }); n > 0 {
		t.Errorf("%s: %d times another was taken for down", id, n)
	}
}

// FD-2.
func checkRestarted(t *testing.T, r round) {
	w := admit(r, nil)
	p := w.anyone()
	near := w.Node(p).(*whole).hv.Active(nil)
	at := w.Now()
	w.Restart(p)
	w.join(p)
	w.RunFor(2 * time.Second)
	for _, s := range w.events {
		if s.Kind == overlay.PeerDown && s.Peer == p && slices.Contains(near, s.node) && s.at-at > 1100*time.Millisecond {
			t.Errorf("FD-2: a neighbour noticed after %v, want about 1 s", s.at-at)
		}
	}
	w.RunFor(3 * time.Second)
	for _, q := range w.Living() {
		if m := w.Node(q).(*whole).lv.Member(p); m.State != liveness.Alive || m.Inc != 2 {
			t.Errorf("FD-2: %d is %s at %d to %d", p, m.State, m.Inc, q)
		}
	}
	w.RunFor(time.Minute)
	if n := w.count(overlay.MemberDown, func(q overlay.Peer) bool { return q != p }); n > 0 {
		t.Errorf("FD-2: %d times another was taken for down", n)
	}
	for _, s := range w.events {
		if s.Kind == overlay.MemberDown && s.Inc != 1 {
			t.Errorf("FD-2: its new life was taken for down")
		}
	}
	checked(t, w.World)
}

// FD-3.
func checkFrozen(t *testing.T, r round) {
	w := admit(r, nil)
	p := w.anyone()
	w.Stall(p, 2*time.Second)
	w.RunFor(20 * time.Second)
	if n := w.count(overlay.MemberSuspect, anybody) + w.count(overlay.MemberDown, anybody); n > 0 {
		t.Errorf("FD-3: %d events for 2 s, want none", n)
	}
	w.Stall(p, 30*time.Second)
	took := w.until(20*time.Second, func() bool { return w.everybody(p, liveness.Down) })
	if took > 14*time.Second {
		t.Errorf("FD-3: down after %v, want 14 s", took)
	}
	w.RunFor(30*time.Second - took)
	if took := w.until(20*time.Second, func() bool { return w.everybody(p, liveness.Alive) }); took > 3*time.Second {
		t.Errorf("FD-3: back after %v, want 3 s", took)
	}
	w.RunFor(time.Minute)
	if n := w.count(overlay.MemberDown, func(q overlay.Peer) bool { return q != p }); n > 0 {
		t.Errorf("FD-3: %d times another was taken for down", n)
	}
	checked(t, w.World)
}

// FD-4.
func checkBrokenLink(t *testing.T, r round) {
	w := admit(r, nil)
	p := w.anyone()
	q := w.Node(p).(*whole).hv.Active(nil)[0]
	w.Cut(p, q)
	w.Cut(q, p)
	w.RunFor(time.Hour)
	if n := w.count(overlay.MemberDown, anybody); n > 0 {
		t.Errorf("FD-4: %d times somebody was taken for down", n)
	}
	checked(t, w.World)
}

// faulty picks a share of the nodes, at least one.
func (w *ward) faulty(percent int) []overlay.Peer {
	living := w.Living()
	w.rng.Shuffle(len(living), func(i, j int) { living[i], living[j] = living[j], living[i] })
	return living[:max(1, len(living)*percent/100)]
}

// flaps checks that nobody healthy was taken for down, and who is faulty at most once
// per minute by each of the others.
func (w *ward) flaps(t *testing.T, id string, faulty []overlay.Peer, minutes int) {
	t.Helper()
	healthy := func(p overlay.Peer) bool { return !slices.Contains(faulty, p) }
	wrong := 0
	for _, s := range w.events {
		if s.Kind == overlay.MemberDown && healthy(s.Peer) && healthy(s.node) {
			wrong++
		}
	}
	if wrong > 0 {
		t.Errorf("%s: %d times a healthy node was taken for down", id, wrong)
	}
	seen := map[[2]overlay.Peer]int{}
	for _, s := range w.events {
		if s.Kind == overlay.MemberDown && healthy(s.node) {
			seen[[2]overlay.Peer{s.node, s.Peer}]++
		}
	}
	for pair, n := range seen {
		if n > minutes {
			t.Errorf("%s: %d was down %d times in %d minutes", id, pair[1], n, minutes)
		}
	}
}

// FD-5.
func checkLossy(t *testing.T, r round) {
	w := admit(r, nil)
	bad := w.faulty(1)
	for _, p := range bad {
		w.Lose(p, 0.8, 0)
	}
	w.RunFor(10 * time.Minute)
	w.flaps(t, "FD-5", bad, 10)
	checked(t, w.World)
}

// FD-6.
func checkOnOff(t *testing.T, r round) {
	w := admit(r, nil)
	bad := w.faulty(1)
	for range 15 {
		for _, share := range []float64{1, 0} {
			for _, p := range bad {
				w.Lose(p, share, 0)
			}
			w.RunFor(20 * time.Second)
		}
	}
	w.flaps(t, "FD-6", bad, 10)
	checked(t, w.World)
}

// FD-7.
func checkStalls(t *testing.T, r round) {
	w := admit(r, nil)
	bad := w.faulty(10)
	const minutes = 10
	for range minutes * 30 {
		for _, p := range bad {
			w.Stall(p, 500*time.Millisecond)
		}
		w.RunFor(2 * time.Second)
	}
	if n := w.count(overlay.MemberDown, anybody); n > 0 {
		t.Errorf("FD-7: %d times somebody was taken for down in %d minutes", n, minutes)
	}
	checked(t, w.World)
}

// FD-8.
func checkHalfKilled(t *testing.T, r round) {
	w := admit(r, nil)
	dead := w.faulty(50)
	before := w.Totals()
	for _, p := range dead {
		w.Kill(p)
	}
	pairs := len(w.Living()) * len(dead)
	w.RunFor(10 * time.Second)
	after := w.Totals()
	spent := after.Minus(&before)
	if rate := float64(spent.Sum().Bytes) / 10 / float64(len(w.Living())); rate > 150e3 {
		t.Errorf("FD-8: %.1f kB/s per node, want 150 at most", rate/1e3)
	}
	w.RunFor(5 * time.Second)
	if share := float64(w.marked(dead)) / float64(pairs); share < 0.96-4/float64(r.nodes) {
		t.Errorf("FD-8: %.1f %% marked as down within 15 s, want 96", 100*share)
	}
	w.RunFor(10 * time.Second)
	if share := float64(w.count(overlay.MemberDown, anybody)) / float64(pairs); share < 0.96-4/float64(r.nodes) {
		t.Errorf("FD-8: %.1f %% told as down within 25 s, want 96", 100*share)
	}
	w.RunFor(10 * time.Second)
	isDead := func(p overlay.Peer) bool { return !w.Up(p) }
	if n := w.count(overlay.MemberDown, isDead); n < pairs-pairs/1000 || n > pairs {
		t.Errorf("FD-8: %d of %d told as down in the end", n, pairs)
	}
	// Who has lost all neighbours is out of reach until it has found others.
	if n := w.count(overlay.MemberDown, w.Up); n > pairs/100 {
		t.Errorf("FD-8: %d times one that lives was told as down", n)
	}
	checked(t, w.World)
}

// marked counts who of the living takes whom of the dead for down.
func (w *ward) marked(dead []overlay.Peer) int {
	n := 0
	for _, q := range w.Living() {
		for _, p := range dead {
			if w.Node(q).(*whole).lv.Member(p).State == liveness.Down {
				n++
			}
		}
	}
	return n
}

// FD-9.
func checkSplit(t *testing.T, r round) {
	w := admit(r, nil)
	small := w.faulty(30)
	side := func(p overlay.Peer) uint32 {
		if slices.Contains(small, p) {
			return 1
		}
		return 0
	}
	w.Partition(side)
	w.RunFor(17 * time.Second)
	// Who has lost all neighbours is out of reach until it has found others.
	across, wrong := 0, 0
	for _, s := range w.events {
		switch {
		case s.Kind != overlay.MemberDown:
		case side(s.node) != side(s.Peer):
			across++
		default:
			wrong++
		}
	}
	if want := 2 * len(small) * (r.nodes - len(small)); across < want-want/1000 || across > want || wrong > want/50 {
		t.Errorf("FD-9: %d of %d told as down after 3 T and 2 s, and %d on the own side", across, want, wrong)
	}
	w.RunFor(12 * time.Minute)
	for _, p := range w.Living() {
		n := 0
		for _, s := range w.events {
			if s.Kind == overlay.Partitioned && s.node == p {
				n++
			}
		}
		if n != 1 {
			t.Errorf("FD-9: %d noticed %d partitions", p, n)
		}
	}
	w.Heal()
	took := w.until(time.Minute, func() bool { return w.whole() })
	if took > 30*time.Second {
		t.Errorf("FD-9: whole again after %v", took)
	}
	checked(t, w.World)
}

// whole reports whether everybody takes everybody for alive.
func (w *ward) whole() bool {
	living := w.Living()
	for _, q := range living {
		if w.Node(q).(*whole).lv.Stats().Living != len(living) {
			return false
		}
	}
	return true
}

// FD-10.
func checkSkew(t *testing.T, r round) {
	w := admit(r, func(p overlay.Peer) overlay.Time {
		if p%10 > 0 {
			return 2 * time.Hour
		}
		return time.Duration(1+2*(int(p)/10%2)) * time.Hour
	})
	w.RunFor(time.Minute)
	if n := w.count(overlay.MemberDown, anybody); n > 0 {
		t.Errorf("FD-10: %d times somebody was taken for down", n)
	}
	w.killOne(t, "FD-10")
	checked(t, w.World)
}

// FD-11. Three places are so few that chance closes a circle of six now and then, with nobody in it
// who has a link out of it.
func checkIslands(t *testing.T, r round) {
	w := newWard(r)
	w.places = 3
	w.admit(r, nil, func(*sim.Config[word]) {})
	islands, lasted := 0, overlay.Time(0)
	for end := w.Now() + 6*time.Hour; islands < 3 && w.Now() < end; {
		if !w.apart() {
			w.join(w.anyone())
			w.RunFor(time.Second)
			continue
		}
		islands++
		lasted = max(lasted, w.until(time.Minute, func() bool { return !w.apart() }))
	}
	if n := w.count(overlay.MemberDown, anybody) + w.count(overlay.Partitioned, anybody); n > 0 || islands < 3 || lasted > time.Minute {
		t.Errorf("FD-11: %d times somebody was taken for down, or a partition seen, where the overlay had fallen apart %d times, for %v at most", n, islands, lasted)
	}
	checked(t, w.World)
}

// FD-12. A node that has started again has one neighbour, whom it joins through. The others of a
// small cluster still have a link to its former life, which falls silent only later; if they waited for
// that, they would be no observers of the second death.
func checkShortLife(t *testing.T, r round) {
	w := admit(r, nil)
	p := w.anyone()
	w.Kill(p)
	w.RunFor(200 * time.Millisecond)
	w.Start(p)
	w.join(p)
	w.RunFor(time.Second)
	if !w.whole() {
		t.Errorf("FD-12: its second life is not known to all after a second")
	}
	w.events = nil
	at := w.Now()
	w.Kill(p)
	w.RunFor(20 * time.Second)
	if last, n := w.last(overlay.MemberDown, p); n != len(w.Living()) || last-at > 9*time.Second {
		t.Errorf("FD-12: %d of %d took it for down within %v, want 9 s", n, len(w.Living()), last-at)
	}
	checked(t, w.World)
}

// apart reports whether there are nodes that no chain of neighbours leads to.
func (w *ward) apart() bool {
	living := w.Living()
	reached := living[:1:1]
	for i := 0; i < len(reached); i++ {
		for _, p := range w.Node(reached[i]).(*whole).hv.Active(nil) {
			if !slices.Contains(reached, p) {
				reached = append(reached, p)
			}
		}
	}
	return len(reached) < len(living)
}
