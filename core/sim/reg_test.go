package sim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/core/sim"
)

func registryScenarios() []scenario {
	return []scenario{
		{name: "reg-1", about: "one write a second: all replicas are equal 15 s after the last", nodes: 40, big: 1000, raced: 20, heavy: true, run: checkWrites},
		{name: "reg-2", about: "a node joins: the whole registry within 3 s, once", nodes: 60, big: 1000, raced: 20, heavy: true, run: checkJoiner},
		{name: "reg-3", about: "evictions from active views hide nothing", nodes: 40, big: 200, raced: 20, run: checkTurnedOut},
		{name: "reg-4", about: "an owner is killed: its entries are hidden everywhere, and no others", nodes: 60, big: 1000, raced: 20, heavy: true, run: checkOwnerKilled},
		{name: "reg-5", about: "an owner restarts within 200 ms: nothing of its old life after the new", nodes: 40, big: 1000, raced: 20, heavy: true, run: checkOwnerRestarted},
		{name: "reg-6", about: "a partition with removals on both sides, and its end", nodes: 40, big: 200, raced: 20, run: checkRegistrySplit},
		{name: "reg-7", about: "a node comes back with what the dead have left", nodes: 12, big: 20, raced: 12, run: checkAbsent},
		{name: "reg-8", about: "the same where a tenth of all packets is lost, others repeated and reordered", nodes: 24, big: 200, raced: 12, run: checkRough},
	}
}

// checkWrites is REG-1.
func checkWrites(t *testing.T, r round) {
	w := enroll(r, 10, calm)
	took, rate := w.writing(60 * (1 + 9*truth(r.long)))
	if took > 15*time.Second {
		t.Errorf("REG-1: equal after %v, want 15 s: %s", took, w.sample())
	}
	if rate > 500 {
		t.Errorf("REG-1: repair takes %.0f bytes a second at each node, want 500", rate)
	}
	w.end(t)
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// writing measures how long it takes to agree after the last write, and the bytes of
// repair at each node in a second.
func (w *registrar) writing(seconds int) (took overlay.Time, rate float64) {
	before, from := w.repair(), w.Now()
	w.writes(seconds)
	took = w.converge(30 * time.Second)
	w.RunFor(10 * time.Second)
	return took, float64(w.repair()-before) / (w.Now() - from).Seconds() / float64(len(w.Living()))
}

// checkJoiner is REG-2.
func checkJoiner(t *testing.T, r round) {
	w := enroll(r, 10, calm)
	took, bytes, size := w.joining()
	if took > 3*time.Second {
		t.Errorf("REG-2: complete after %v, want 3 s", took)
	}
	if bytes > size*12/10 {
		t.Errorf("REG-2: %d bytes for %d of entries, want %d", bytes, size, size*12/10)
	}
	w.end(t)
}

// joining measures what it takes a node to learn everything: the time and bytes, and
// the size of what it learns.
func (w *registrar) joining() (took overlay.Time, bytes, size uint64) {
	w.writes(3)
	w.converge(30 * time.Second)
	all := 0
	for _, own := range w.offered {
		all += len(own)
	}
	before, p := w.repair(), overlay.Peer(w.Len())
	w.Start(p)
	w.join(p)
	took = w.until(10*time.Second, func() bool { return w.count(p) == all })
	w.RunFor(time.Second)
	return took, w.repair() - before, uint64(all * entrySize)
}

// checkTurnedOut is REG-3.
func checkTurnedOut(t *testing.T, r round) {
	w := enroll(r, 3, calm)
	if n := w.evictions(1000); n < 1000 {
		t.Errorf("REG-3: %d evictions only", n)
	}
	if len(w.hidden) > 0 {
		t.Errorf("REG-3: hidden, by owner: %v", w.hidden)
	}
	w.end(t)
}

// evictions has nodes ask for neighbours until that many others were turned out.
func (w *registrar) evictions(want int) (n int) {
	for range 50 * want {
		w.events = nil
		p := w.anyone()
		w.join(p)
		w.RunFor(200 * time.Millisecond)
		if n += w.ward.count(overlay.PeerDown, anybody); n >= want {
			break
		}
	}
	return n
}

// checkOwnerKilled is REG-4.
func checkOwnerKilled(t *testing.T, r round) {
	w := enroll(r, 5, calm)
	took, others := w.killing()
	if took > 9*time.Second {
		t.Errorf("REG-4: hidden after %v, want 9 s", took)
	}
	if others > 0 {
		t.Errorf("REG-4: %d entries of others were hidden", others)
	}
	w.end(t)
}

// killing measures until when the entries of one that is killed are seen, and counts
// those of others that were hidden.
func (w *registrar) killing() (took overlay.Time, others int) {
	p := w.anyone()
	clear(w.hidden)
	w.Kill(p)
	delete(w.offered, p)
	took = w.converge(60 * time.Second)
	for owner, n := range w.hidden {
		if owner != p {
			others += n
		}
	}
	return took, others
}

// checkOwnerRestarted is REG-5.
func checkOwnerRestarted(t *testing.T, r round) {
	w := enroll(r, 5, calm)
	if took := w.restarting(); took > 15*time.Second {
		t.Errorf("REG-5: equal after %v: %s", took, w.sample())
	}
	w.end(t)
}

// restarting measures how long it takes until the services of a new life are all that
// is seen of a node.
func (w *registrar) restarting() overlay.Time {
	p := w.anyone()
	w.Kill(p)
	w.RunFor(200 * time.Millisecond)
	w.Start(p)
	w.offered[p] = nil
	w.join(p)
	w.offer(p, "service/1")
	w.offer(p, "service/new")
	return w.converge(30 * time.Second)
}

// checkRegistrySplit is REG-6.
func checkRegistrySplit(t *testing.T, r round) {
	w := enroll(r, 5, calm)
	took, bytes, differences := w.splitting(3*time.Minute + 27*time.Minute*time.Duration(truth(r.long)))
	if took > 30*time.Second {
		t.Errorf("REG-6: equal after %v, want 30 s: %s", took, w.sample())
	}
	if bytes > 3*differences {
		t.Errorf("REG-6: %d bytes for differences of %d, want three times as many", bytes, differences)
	}
	w.end(t)
}

// splitting parts the cluster for a while, with registrations and removals on both
// sides. It measures how long it takes to agree after that, the bytes of repair, and
// the bytes of the differences at all nodes: of the new entries, and of the batches.
func (w *registrar) splitting(d overlay.Time) (took overlay.Time, bytes, differences uint64) {
	third := func(p overlay.Peer) uint32 { return uint32(p % 10 / 7) }
	w.Partition(third)
	w.RunFor(d / 2)
	sides := map[uint32]uint64{}
	for _, p := range w.Living() {
		sides[third(p)]++
	}
	const batch = 200 // its head and what goes with it
	for i, p := range w.Living() {
		w.withdraw(p, "service/1")
		w.offer(p, "service/2")
		w.offer(p, fmt.Sprint("service/new", i))
		differences += (2*entrySize + 2*batch) * sides[1-third(p)]
		w.RunFor(200 * time.Millisecond)
	}
	w.RunFor(d / 2)
	before := w.repair()
	w.Heal()
	took = w.converge(60 * time.Second)
	return took, w.repair() - before, differences
}

// checkAbsent is REG-7. On every push a day is short.
func checkAbsent(t *testing.T, r round) {
	w := enroll(r, 3, calm)
	if took := w.absent(r.long); took > 40*time.Second {
		t.Errorf("REG-7: equal after %v: %s", took, w.sample())
	}
	w.end(t)
}

// absent cuts a node off, kills others, lets their watermarks pass, and has the node
// come back.
func (w *registrar) absent(long bool) overlay.Time {
	day := 25 * time.Hour
	if !long {
		day = 10 * time.Minute
	}
	w.keeper.log.Quarantine, w.keeper.log.Watermark = day/100, day*24/25
	for _, p := range w.Living() {
		w.Restart(p) // with the short day
		w.offered[p] = nil
		w.join(p)
		w.offer(p, "service/1")
		w.RunFor(time.Second) // or its contact may forget it before anybody else knows it
	}
	if w.converge(30 * time.Second); !w.equal() {
		return 60 * time.Second
	}
	p := w.anyone()
	w.Partition(func(q overlay.Peer) uint32 { return uint32(truth(q == p)) })
	for range 3 {
		if q := w.anyone(); q != p {
			w.Kill(q)
			delete(w.offered, q)
		}
	}
	w.RunFor(day)
	w.Heal()
	return w.converge(60 * time.Second)
}

// checkRough is REG-8: the other checks, in bad weather, with the same bounds. REG-7 has
// no bound on time: a node whose greetings are lost is back later.
func checkRough(t *testing.T, r round) {
	w := enroll(r, 5, rough)
	took, rate := w.writing(30)
	within(t, "REG-8: writes", took, 15*time.Second, uint64(rate), 500)
	took, bytes, size := w.joining()
	within(t, "REG-8: joined", took, 3*time.Second, bytes, size*12/10)
	if n := w.evictions(300); n < 300 || len(w.hidden) > 0 {
		t.Errorf("REG-8: %d evictions, hidden by owner: %v", n, w.hidden)
	}
	within(t, "REG-8: restarted", w.restarting(), 15*time.Second, 0, 0)
	took, others := w.killing()
	within(t, "REG-8: killed, and others hidden", took, 9*time.Second, uint64(others), 0)
	took, bytes, differences := w.splitting(2 * time.Minute)
	within(t, "REG-8: divided", took, 30*time.Second, bytes, 3*differences)
	w.end(t)
	small := enroll(round{seed: r.seed, nodes: min(r.nodes, 20)}, 3, rough)
	small.absent(r.long)
	if !small.equal() || small.resurrected() > 0 {
		t.Errorf("REG-8: absent: %d came back: %s", small.resurrected(), small.sample())
	}
	small.end(t)
}

// within fails a check that took longer, or more, than it may.
func within(t *testing.T, what string, took, limit overlay.Time, n, most uint64) {
	t.Helper()
	if took > limit || n > most {
		t.Errorf("%s: after %v with %d, want at most %v with %d", what, took, n, limit, most)
	}
}

var _ sim.Node[word] = (*whole)(nil)
