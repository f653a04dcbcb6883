package ownerlog

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/barrelp2p/barrel/interfaces/name"
)

func (b *bench) expectChanges(want ...string) {
	b.t.Helper()
	if got := b.changes(); !slices.Equal(got, want) {
		b.t.Errorf("changes %q, want %q", got, want)
	}
}

func TestBatchesInAnyOrder(t *testing.T) {
	b := newBench(t, nil)
	one, two, three := b.write("k", "1"), b.write("k", "2", "l", "1"), b.write("l", "")
	for _, batch := range []*Batch{three, two, three, one, two, one} {
		b.receive(batch)
	}
	b.expect("k", "2")
	b.expectChanges("added k=1", "updated k=2", "added l=1", "removed l=1")
	if s := b.store.Stats(); s.Applied != 3 || s.Early != 3 || s.Stale != 2 {
		t.Errorf("stats %+v", s)
	}
}

func TestRemovalTellsItsReason(t *testing.T) {
	b := newBench(t, nil)
	b.receive(b.write("k", "1"))
	if err := b.owner.Stage(Op{Key: "k", Val: "exited: boom", Remove: true}); err != nil {
		t.Fatal(err)
	}
	b.receive(b.owner.Seal())
	b.expectChanges("added k=1", "removed k=1 exited: boom")
}

func TestSnapshotReplacesWhatIsOlder(t *testing.T) {
	b := newBench(t, nil)
	b.receive(b.write("gone", "1", "stays", "1", "changes", "1"))
	old := b.snapshot()
	b.changes()
	lost := b.write("gone", "", "changes", "2", "new", "1")
	last := b.write("new", "2")
	b.receive(last) // early
	b.merge(b.snapshot())
	b.expect("stays", "1", "changes", "2", "new", "2")
	b.expectChanges("removed gone=1 unknown", "updated changes=2", "added new=2")
	b.merge(old)
	b.receive(lost)
	b.expect("stays", "1", "changes", "2", "new", "2")
	b.expectChanges()
	if owners := b.store.Due(b.now + minute); len(owners) > 0 {
		t.Errorf("still something missing of %v", owners)
	}
}

func TestShownWhileAliveAtThatIncarnation(t *testing.T) {
	b := newBench(t, nil)
	o := name.MustNode("o@h")
	b.receive(b.write("k", "1"))
	b.store.Gone(b.now, o, 5, "silent")
	b.expect()
	b.receive(b.write("l", "1"))
	b.expect()
	b.store.Up(b.now, o, 5)
	b.expect("k", "1", "l", "1")
	b.store.Gone(b.now, o, 4, "late word of a former life")
	b.expect("k", "1", "l", "1")
	b.expectChanges("added k=1", "hidden k=1 silent", "added k=1", "added l=1")
	b.store.Up(b.now, o, 6)
	b.expect()
	b.check()
}

func TestNewLifeReplacesTheOld(t *testing.T) {
	b := newBench(t, nil)
	b.receive(b.write("old", "1"))
	late := b.write("old", "2")
	b.owner = New(config(name.MustNode("o@h"), 6))
	b.receive(b.write("new", "1"))
	b.expect()
	b.receive(late)
	b.expect()
	b.store.Up(b.now, name.MustNode("o@h"), 6)
	b.expect("new", "1")
	b.expectChanges("added old=1", "hidden old=1 restarted", "added new=1")
}

func TestForgers(t *testing.T) {
	stranger := name.MustNode("stranger@h")
	for what, change := range map[string]func(*Batch){
		"another key":        func(b *Batch) { b.Head.Sig = sign(name.MustNode("f@h"), b.Head.Message()) },
		"another operation":  func(b *Batch) { b.Ops = append(b.Ops, Op{Key: "x", Val: "1"}) },
		"a missing one":      func(b *Batch) { b.Ops = b.Ops[1:] },
		"another number":     func(b *Batch) { b.Head.Seq++ },
		"another life":       func(b *Batch) { b.Head.Inc++ },
		"another owner":      func(b *Batch) { b.Head.Owner = name.MustNode("v@h") },
		"an unknown owner":   func(b *Batch) { b.Head.Owner = stranger },
		"another digest":     func(b *Batch) { b.Head.State[0]++ },
		"one signature, two": func(b *Batch) { b.Head.Sig[63]++ },
	} {
		t.Run(what, func(t *testing.T) {
			b := newBench(t, nil)
			batch := *b.write("k", "1", "l", "1")
			batch.Ops = slices.Clone(batch.Ops)
			change(&batch)
			b.receive(&batch)
			b.expect()
			if s := b.store.Stats(); s.Forged+s.Strange != 1 || len(b.store.logs) != 2 {
				t.Errorf("%d logs, stats %+v", len(b.store.logs), s)
			}
			b.receive(b.write("m", "1"))
			if len(b.store.logs["o@h"].held) != 1 {
				t.Error("an honest batch is not kept after a forged one")
			}
		})
	}
}

func TestForgedSnapshots(t *testing.T) {
	for what, change := range map[string]func(*Snapshot){
		"an entry more":      func(s *Snapshot) { s.Items = append(s.Items, Item{"z", "1"}) },
		"one less":           func(s *Snapshot) { s.Items = s.Items[1:] },
		"another value":      func(s *Snapshot) { s.Items[0].Val = "9" },
		"another order":      func(s *Snapshot) { slices.Reverse(s.Items) },
		"one twice":          func(s *Snapshot) { s.Items[1] = s.Items[0] },
		"a later number":     func(s *Snapshot) { s.Head.Seq = 99 },
		"a later life":       func(s *Snapshot) { s.Head.Inc = 99 },
		"a boundary shifted": func(s *Snapshot) { s.Items[0] = Item{"k1", ""} },
	} {
		t.Run(what, func(t *testing.T) {
			b := newBench(t, nil)
			b.write("k", "1", "l", "1")
			snap := b.snapshot()
			change(snap)
			b.merge(snap)
			b.expect()
			if s := b.store.Stats(); s.Forged != 1 {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

// An owner that signs two things for one number is found out, and all choose the same.
func TestTwoTongues(t *testing.T) {
	twin := New(config(name.MustNode("o@h"), 5))
	b, c := newBench(t, nil), newBench(t, nil)
	first := b.write("k", "1")
	_ = twin.Stage(Op{Key: "k", Val: "2"})
	second := twin.Seal()
	b.receive(first)
	b.receive(second)
	c.receive(second)
	c.receive(first)
	if b.store.Stats().Forked+c.store.Stats().Forked != 2 {
		t.Fatalf("not found out: %+v, %+v", b.store.Stats(), c.store.Stats())
	}
	stores := []*Store{b.store, c.store}
	for range 2 { // each fetches from the other what it wants
		for i, s := range stores {
			for _, owner := range s.Wanted() {
				inc, seq := s.Position(owner)
				if v := stores[1-i].Serve(owner, inc, seq); v != nil {
					stream, _ := v.Append(nil, 1<<20)
					r := Reader{MaxItems: 10, MaxBytes: 100}
					_ = r.Add(stream, func(rec Record) { s.Merge(0, rec.Snapshot) })
				}
			}
		}
	}
	if b.store.Sums().Root() != c.store.Sums().Root() {
		t.Error("the replicas differ")
	}
	b.check()
	c.check()
}

func TestBoundsOfAnOwner(t *testing.T) {
	b := newBench(t, func(c *Config) { c.MaxItems = 2 })
	b.receive(b.write("a", "1"))
	b.receive(b.write("b", "1", "c", "1"))
	b.receive(b.write("c", ""))
	b.expect("a", "1")
	if got := b.store.Oversize(); !slices.Equal(got, []string{"o@h"}) {
		t.Errorf("oversize: %q", got)
	}
	b.merge(b.snapshot())
	b.expect("a", "1", "b", "1")
	if got := b.store.Oversize(); len(got) > 0 {
		t.Errorf("still oversize: %q", got)
	}
	cfg := config(name.MustNode("o@h"), 1)
	cfg.MaxItems, cfg.MaxBytes = 2, 10
	own := New(cfg)
	for _, op := range []Op{{Key: "a", Val: "1"}, {Key: "b", Val: "1"}, {Key: "a", Val: "2"}} {
		if err := own.Stage(op); err != nil {
			t.Errorf("%+v: %v", op, err)
		}
	}
	for _, op := range []Op{{Key: "c", Val: "1"}, {Key: "a", Val: "123456789"}, {Val: "1"}, {Key: "a", Val: strings.Repeat("x", MaxVal+1)}} {
		if err := own.Stage(op); !errors.Is(err, ErrFull) {
			t.Errorf("key %q: %v", op.Key, err)
		}
	}
}

func TestOwnersAreBounded(t *testing.T) {
	b := newBench(t, func(c *Config) { c.MaxOwners = 3 })
	for i := range 5 {
		o := New(config(name.MustNode(fmt.Sprintf("x%d@h", i)), 1))
		_ = o.Stage(Op{Key: "k", Val: "1"})
		b.receive(o.Seal())
	}
	if n := len(b.store.logs); n != 3 {
		t.Errorf("%d logs", n)
	}
}

// What the dead leave is freed, and its watermark refuses what is older; in the end
// that is forgotten too.
func TestQuarantine(t *testing.T) {
	b := newBench(t, nil)
	o := name.MustNode("o@h")
	b.receive(b.write("k", "1"))
	old := b.snapshot()
	b.receive(b.write("k", ""))
	b.store.Gone(b.now, o, 5, "lost")
	sweep := func() {
		for range 256 {
			b.store.Sweep(b.now)
		}
		b.check()
	}
	sweep()
	if b.store.logs["o@h"].freed {
		t.Error("freed at once")
	}
	b.now += 61 * minute
	sweep()
	if l := b.store.logs["o@h"]; !l.freed || l.live.count > 0 || b.store.Stats().Freed != 1 {
		t.Errorf("not freed: %+v", b.store.Stats())
	}
	b.merge(old)
	b.store.Up(b.now, o, 5)
	b.expect()
	b.merge(b.snapshot())
	b.receive(b.write("new", "1"))
	b.expect("new", "1")
	b.store.Gone(b.now, o, 5, "lost")
	b.now += 25 * 60 * minute
	sweep()
	if len(b.store.logs) != 1 {
		t.Errorf("%d logs", len(b.store.logs))
	}
}

func TestACloneIsNoticed(t *testing.T) {
	b := newBench(t, nil)
	clone := New(config(name.MustNode("r@h"), 2))
	_ = clone.Stage(Op{Key: "k", Val: "1"})
	b.receive(clone.Seal())
	if s := b.store.Stats(); s.Clones != 1 {
		t.Errorf("stats %+v", s)
	}
}

// The digest says what is in, not how it came there.
func TestDigestForgetsHistory(t *testing.T) {
	var grown set
	for i := range 300 {
		grown.put(fmt.Sprint("key", i), "v")
	}
	for _, left := range []int{200, 65, 64, 63, 1, 0} {
		for i := left; i < 300; i++ {
			grown.remove(fmt.Sprint("key", i))
		}
		fresh := restore(grown.all())
		if grown.digest() != fresh.digest() || grown.count != left || !reflect.DeepEqual(fresh.all(), grown.all()) {
			t.Errorf("with %d entries the digests differ", left)
		}
	}
}

// Who is so far behind that only a snapshot helps hears why entries went, as long as the
// batches that tell are kept; whoever begins needs no reasons and gets none.
func TestReasonsComeWithASnapshot(t *testing.T) {
	b := newBench(t, nil)
	b.receive(b.write("crashed", "1", "early", "1", "left", "1", "stays", "1"))
	b.changes()
	remove := func(key, reason string) {
		if err := b.owner.Stage(Op{Key: key, Val: reason, Remove: true}); err != nil {
			t.Fatal(err)
		}
		b.owner.Seal()
	}
	remove("early", "exited: long ago")
	for range keptMost {
		b.write("stays", "2")
	}
	remove("crashed", "exited: boom")
	remove("left", "")
	b.serve(5, 1)
	b.expect("stays", "2")
	b.expectChanges("removed crashed=1 exited: boom", "removed early=1 unknown", "removed left=1", "updated stays=2")
	if len(b.store.Due(b.now+minute)) > 0 || b.store.Stats().Snapshots != 1 {
		t.Errorf("stats %+v", b.store.Stats())
	}
	if v := b.owner.Serve("o@h", 0, 0); len(v.batches) > 0 {
		t.Errorf("%d batches for one who begins", len(v.batches))
	}
}

// What is kept of removals is no more than whoever is behind can hold.
func TestReasonsAreBounded(t *testing.T) {
	b := newBench(t, nil)
	many := []string{"long", strings.Repeat("x", MaxVal)}
	for i := range keptMost {
		many = append(many, fmt.Sprintf("k%03d", i), "1")
	}
	b.receive(b.write(many...))
	b.write("long", "")
	for i := range keptMost {
		b.write(fmt.Sprintf("k%03d", i), "")
	}
	b.changes()
	b.serve(5, 1)
	unknown := slices.DeleteFunc(b.changes(), func(c string) bool { return !strings.HasSuffix(c, " unknown") })
	if told := keptMost + 1 - len(unknown); told < 1 || told > heldMost {
		t.Errorf("%d reasons were told, of %d entries", told, keptMost+1)
	}
}

// A suffix is served while it is kept, the whole log otherwise.
func TestServe(t *testing.T) {
	b := newBench(t, nil)
	if b.owner.Serve("o@h", 0, 0) != nil || b.owner.Serve("x@h", 0, 0) != nil {
		t.Error("served what there is not")
	}
	for i := range keptMost + 50 {
		b.receive(b.write("k", fmt.Sprint(i)))
	}
	last := uint64(keptMost + 50)
	if v := b.store.Serve("o@h", 5, last-3); v == nil || len(v.batches) != 3 {
		t.Errorf("three behind: %+v", v)
	}
	if v := b.store.Serve("o@h", 5, 3); v == nil || v.head == nil {
		t.Errorf("far behind: %+v", v)
	}
	if v := b.store.Serve("o@h", 4, 900); v == nil || v.head == nil {
		t.Errorf("of a former life: %+v", v)
	}
	if v := b.store.Serve("o@h", 5, last); v != nil {
		t.Errorf("not behind: %+v", v)
	}
}
