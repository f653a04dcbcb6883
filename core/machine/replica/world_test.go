package replica

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/core/machine/ownerlog"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// TestMain sets how many random worlds are tried: 500, or as many as CHECKS says.
func TestMain(m *testing.M) {
	flag.Parse()
	checks := os.Getenv("CHECKS")
	if checks == "" {
		checks = "500"
	}
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		_ = f.Value.Set(checks)
	}
	os.Exit(m.Run())
}

func node(i int) name.Node { return name.MustNode("n" + strconv.Itoa(i) + "@sim") }

// sign is a signature for worlds in which nobody can take a SHA-256 but this function.
func sign(owner name.Node, message []byte) (sig ownerlog.Signature) {
	sum := sha256.Sum256(append([]byte("secret of "+owner.String()), message...))
	copy(sig[:], sum[:])
	return sig
}

// life is one life of one node.
type life struct {
	id    int
	inc   uint64
	m     *Machine
	items map[string]string // what it has put and not removed
	seen  map[string]int    // by owner, incarnation and key: the last version that was shown
	view  map[string]string // what is visible here
	steps int
}

// packet is something under way.
type packet struct {
	to, from int
	inc      uint64 // of the receiver
	at       overlay.Time
	in       Input
}

// world is a few replicas on links, in one goroutine.
type world struct {
	fail    func(format string, args ...any)
	rng     *rand.Rand
	now     overlay.Time
	lives   []*life
	incs    []uint64
	links   map[[2]int]overlay.Time // when the last frame of each direction arrives
	cut     []int                   // the side of each node
	dead    []bool                  // for good
	packets []packet
	loss    float64       // of broadcasts
	busy    float64       // of frames
	limits  map[int]int   // entries of one owner that a node allows, where it is not 200
	short   time.Duration // for how long what the dead leave is kept; 0: as in production
	version int
	bytes   int
	spoil   func(w *world, from int, data []byte)
	tell    func(l *life, out *Effects)
}

func newWorld(fail func(string, ...any), n int, seed uint64) *world {
	w := &world{fail: fail, rng: rand.New(rand.NewPCG(seed, 1)), links: map[[2]int]overlay.Time{}}
	w.lives, w.incs, w.cut, w.dead = make([]*life, n), make([]uint64, n), make([]int, n), make([]bool, n)
	for i := range n {
		w.start(i)
	}
	return w
}

func verify(owner name.Node, message []byte, sig *ownerlog.Signature) ownerlog.Verdict {
	if *sig == sign(owner, message) {
		return ownerlog.Good
	}
	return ownerlog.Bad
}

func (w *world) start(i int) {
	w.incs[i]++
	l := &life{id: i, inc: w.incs[i], items: map[string]string{}, seen: map[string]int{}, view: map[string]string{}}
	cfg := Defaults()
	cfg.Log.Self, cfg.Log.Inc = node(i), l.inc
	cfg.Log.MaxItems, cfg.Log.MaxBytes = 200, 1<<20
	if w.short > 0 {
		cfg.Log.Quarantine, cfg.Log.Watermark = w.short, 4*w.short
	}
	if most, other := w.limits[i]; other {
		cfg.Log.MaxItems = most
	}
	cfg.Log.Sign = func(m []byte) ownerlog.Signature { return sign(node(i), m) }
	cfg.Log.Verify = verify
	cfg.Holders = l.holders
	l.m = New(cfg, w.now, rand.New(rand.NewPCG(w.rng.Uint64(), 2)))
	w.lives[i] = l
	for j, other := range w.lives {
		if j == i || other == nil {
			continue
		}
		w.post(i, j, w.delay(2000), Input{Kind: MemberUp, Node: node(j), Inc: other.inc})
		w.post(j, i, w.delay(2000), Input{Kind: MemberUp, Node: node(i), Inc: l.inc})
	}
}

func (l *life) holders(subject string) (owners []name.Node) {
	for key := range l.view {
		owner, rest, _ := strings.Cut(key, " ")
		if strings.HasSuffix(rest, " "+subject) {
			owners = append(owners, name.MustNode(owner))
		}
	}
	slices.SortFunc(owners, name.Node.Compare)
	return owners
}

func (w *world) delay(ms int) overlay.Time {
	return overlay.Time(1+w.rng.IntN(ms)) * time.Millisecond
}

func (w *world) post(to, from int, after overlay.Time, in Input) {
	if l := w.lives[to]; l != nil {
		w.packets = append(w.packets, packet{to: to, from: from, inc: l.inc, at: w.now + after, in: in})
	}
}

func (w *world) stop(i int) {
	l := w.lives[i]
	for j := range w.lives {
		w.unlink(i, j)
	}
	w.lives[i] = nil
	for j := range w.lives {
		after := max(w.delay(8000), w.lastUp(j, l)+time.Millisecond)
		w.post(j, i, after, Input{Kind: MemberEnd, Node: node(i), Inc: l.inc, Text: "lost"})
	}
}

// lastUp is after how long a node hears for the last time that a life is alive: liveness
// finds out about its end later than that.
func (w *world) lastUp(at int, l *life) (after overlay.Time) {
	for _, p := range w.packets {
		if p.to == at && p.in.Kind == MemberUp && p.in.Node == node(l.id) && p.in.Inc == l.inc {
			after = max(after, p.at-w.now)
		}
	}
	return after
}

func (w *world) link(i, j int) {
	if _, there := w.links[[2]int{i, j}]; i == j || there || w.lives[i] == nil || w.lives[j] == nil || w.cut[i] != w.cut[j] {
		return
	}
	w.links[[2]int{i, j}], w.links[[2]int{j, i}] = w.now, w.now
	w.step(i, Input{Kind: PeerUp, Node: node(j)})
	w.step(j, Input{Kind: PeerUp, Node: node(i)})
}

func (w *world) unlink(i, j int) {
	if _, there := w.links[[2]int{i, j}]; !there {
		return
	}
	delete(w.links, [2]int{i, j})
	delete(w.links, [2]int{j, i})
	w.packets = slices.DeleteFunc(w.packets, func(p packet) bool {
		return p.in.Kind == Frame && (p.to == i && p.from == j || p.to == j && p.from == i)
	})
	w.step(i, Input{Kind: PeerDown, Node: node(j)})
	w.step(j, Input{Kind: PeerDown, Node: node(i)})
}

// divide puts nodes on sides; who is on another side is out of reach, and dead after a
// while.
func (w *world) divide(sides []int) {
	copy(w.cut, sides)
	for i := range w.lives {
		for j := range i {
			if w.cut[i] != w.cut[j] {
				w.unlink(i, j)
			}
			w.tellApart(i, j)
			w.tellApart(j, i)
		}
	}
}

// tellApart: liveness at i finds out about j.
func (w *world) tellApart(i, j int) {
	if w.lives[i] == nil || w.lives[j] == nil {
		return
	}
	in := Input{Kind: MemberUp, Node: node(j), Inc: w.lives[j].inc}
	if w.cut[i] != w.cut[j] {
		in.Kind, in.Text = MemberEnd, "silent"
	}
	w.post(i, j, 10*time.Second+w.delay(1000), in)
}

func (w *world) step(i int, in Input) {
	if l := w.lives[i]; l != nil {
		var out Effects
		l.m.Step(w.now, &in, &out)
		w.apply(l, &out)
	}
}

func (w *world) whole(l *life) {
	if err := l.m.Check(); err != nil {
		w.fail("n%d at %v: %v", l.id, w.now, err)
	}
}

func (w *world) apply(l *life, out *Effects) {
	if l.steps++; l.steps%8 == 0 { // it costs more than the step
		w.whole(l)
	}
	if w.tell != nil {
		w.tell(l, out)
	}
	for _, c := range out.Changes {
		w.change(l, c)
	}
	for _, data := range out.Broadcasts {
		w.spread(l.id, data)
	}
	for _, s := range out.Sends {
		w.frame(l.id, s)
	}
}

// spread is a broadcast: it may be lost, late, early and repeated for each receiver.
func (w *world) spread(from int, data []byte) {
	for to := range w.lives {
		if to == from || w.cut[to] != w.cut[from] {
			continue
		}
		for range 1 + w.rng.IntN(5)/4 {
			if w.rng.Float64() >= w.loss {
				w.post(to, from, w.delay(300), Input{Kind: Broadcast, Data: data})
			}
		}
	}
	if w.spoil != nil {
		w.spoil(w, from, data)
	}
}

func (w *world) frame(from int, s Send) {
	var to int
	_, _ = fmt.Sscanf(s.To.String(), "n%d@sim", &to)
	way := [2]int{from, to}
	last, linked := w.links[way]
	if !linked || w.rng.Float64() < w.busy {
		return
	}
	if len(s.Data) > 64<<10 {
		w.fail("a frame of %d bytes", len(s.Data))
	}
	w.bytes += len(s.Data)
	at := max(last, w.now+w.delay(20))
	w.links[way] = at
	w.post(to, from, at-w.now, Input{Kind: Frame, Node: node(from), Data: s.Data})
}

// change follows the view of a life, and sees that nothing old is shown after the new.
func (w *world) change(l *life, c ownerlog.Change) {
	key := fmt.Sprintf("%s %d %s", c.Owner, c.Inc, c.Key)
	version, _ := strconv.Atoi(c.Val)
	old, had := l.view[key]
	switch c.Kind {
	case ownerlog.Added, ownerlog.Updated:
		if had != (c.Kind == ownerlog.Updated) || had && old != c.Old {
			w.fail("n%d: %+v, but had %t %q", l.id, c, had, old)
		}
		if version < l.seen[key] {
			w.fail("n%d: %s is %d again, after %d", l.id, key, version, l.seen[key])
		}
		w.noOlderLife(l, c)
		l.seen[key], l.view[key] = version, c.Val
	case ownerlog.Removed, ownerlog.Hidden:
		if !had || old != c.Val {
			w.fail("n%d: %+v, but had %t %q", l.id, c, had, old)
		}
		if c.Kind == ownerlog.Removed {
			l.seen[key] = version + 1
		}
		delete(l.view, key)
	}
}

func (w *world) noOlderLife(l *life, c ownerlog.Change) {
	for key := range l.view {
		owner, rest, _ := strings.Cut(key, " ")
		inc, _, _ := strings.Cut(rest, " ")
		if owner == c.Owner.String() && inc != strconv.FormatUint(c.Inc, 10) {
			w.fail("n%d: %s of life %d while %s is shown", l.id, c.Owner, c.Inc, key)
		}
	}
}

// write puts or removes an entry of a node.
func (w *world) write(i int, key string, remove bool) {
	l := w.lives[i]
	if l == nil {
		return
	}
	w.version++
	op := ownerlog.Op{Key: key, Val: strconv.Itoa(w.version), Remove: remove}
	if remove {
		op.Val = "reason"
		delete(l.items, key)
	} else {
		l.items[key] = op.Val
	}
	var out Effects
	if err := l.m.Write(w.now, op, &out); err != nil {
		w.fail("write: %v", err)
	}
	w.apply(l, &out)
}

// run lets time pass.
func (w *world) run(until overlay.Time) {
	for turns := 0; ; turns++ {
		if turns > 1e6 {
			w.fail("time stands still at %v", w.now)
		}
		at, which := until, -1
		for i := range w.packets {
			if w.packets[i].at <= at {
				at, which = w.packets[i].at, i
			}
		}
		ticks := -1
		for i, l := range w.lives {
			if l != nil && l.m.Next() < at {
				at, ticks = l.m.Next(), i
			}
		}
		w.now = max(w.now, at)
		switch {
		case ticks >= 0:
			w.step(ticks, Input{Kind: Tick})
		case which >= 0:
			p := w.packets[which]
			w.packets = slices.Delete(w.packets, which, which+1)
			if l := w.lives[p.to]; l != nil && l.inc == p.inc {
				w.step(p.to, p.in)
			}
		default:
			return
		}
	}
}

// mend makes everything good: everybody runs but those that are dead for good, linked in
// a ring, nothing is lost.
func (w *world) mend() {
	w.loss, w.busy, w.spoil = 0, 0, nil
	w.divide(make([]int, len(w.cut)))
	var ring []int
	for i := range w.lives {
		if w.lives[i] == nil && !w.dead[i] {
			w.start(i)
		}
		if w.lives[i] != nil {
			ring = append(ring, i)
		}
	}
	for at, i := range ring {
		w.link(i, ring[(at+1)%len(ring)])
		for _, j := range ring {
			if i != j {
				w.post(i, j, 15*time.Second, Input{Kind: MemberUp, Node: node(j), Inc: w.lives[j].inc})
			}
		}
	}
}

// agree fails unless every life sees exactly what all have put.
func (w *world) agree() {
	want := map[string]string{}
	var first *life
	for _, l := range w.lives {
		if l == nil {
			continue
		}
		if first == nil {
			first = l
		}
		for key, val := range l.items {
			want[fmt.Sprintf("%s %d %s", node(l.id), l.inc, key)] = val
		}
	}
	for _, l := range w.lives {
		if l == nil {
			continue
		}
		w.whole(l)
		for key, val := range want {
			if l.view[key] != val {
				w.fail("n%d sees %q as %q, want %q; %+v", l.id, key, l.view[key], val, l.m.Stats())
			}
		}
		for key, val := range l.view {
			if want[key] != val {
				w.fail("n%d sees %q as %q, want %q", l.id, key, val, want[key])
			}
		}
		if root := first.m.Store().Sums().Root(); l.m.Store().Sums().Root() != root {
			w.fail("n%d has root %x, n%d %x", l.id, l.m.Store().Sums().Root(), first.id, root)
		}
	}
}
