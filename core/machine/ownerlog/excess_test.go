package ownerlog

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/barrelp2p/barrel/core/machine/antientropy"
)

// A snapshot that is too large is passed over: what comes after it is read, and its owner
// is reported if it is he who signed it, and not if somebody says so.
func TestALargeSnapshotIsPassedOver(t *testing.T) {
	for _, n := range []int{3, 64, 65, 300} {
		for what, limit := range map[string]func(*Config){
			"by entries": func(c *Config) { c.MaxItems = n - 1 },
			"by bytes":   func(c *Config) { c.MaxBytes = 9*n - 1 },
		} {
			for _, forged := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d %s forged %t", n, what, forged), func(t *testing.T) {
					testPassedOver(t, n, limit, forged)
				})
			}
		}
	}
}

func testPassedOver(t *testing.T, n int, limit func(*Config), forged bool) {
	b := newBench(t, limit)
	other := New(config(b.store.cfg.Self, 9))
	_ = other.Stage(Op{Key: "k", Val: "1"})
	other.Seal()
	var pairs []string
	for i := range n {
		pairs = append(pairs, fmt.Sprintf("key%05d", i), "v")
	}
	b.write(pairs...)
	stream, _ := b.owner.Serve("o@h", 0, 0).Append(nil, 1<<30)
	if forged {
		stream = bytes.Replace(stream, []byte("key00001"), []byte("key0000x"), 1)
	}
	stream, _ = other.Serve("r@h", 0, 0).Append(stream, 1<<30)
	r := Reader{MaxItems: b.store.cfg.MaxItems, MaxBytes: b.store.cfg.MaxBytes}
	var last Record
	for len(stream) > 0 { // in pieces
		cut := min(len(stream), 100)
		if err := r.Add(stream[:cut], func(rec Record) { last = rec; b.store.Take(b.now, rec) }); err != nil {
			t.Fatal(err)
		}
		stream = stream[cut:]
	}
	b.check()
	b.expect()
	if last.Snapshot == nil || len(last.Snapshot.Items) != 1 {
		t.Errorf("what comes after it: %+v", last)
	}
	if got := b.store.Oversize(); slices.Equal(got, []string{"o@h"}) == forged || (b.store.Stats().Forged == 1) != forged {
		t.Errorf("oversize: %v, %+v", got, b.store.Stats())
	}
}

// What was too large is of use again when it is smaller, or has changed and a while has
// passed.
func TestRefuses(t *testing.T) {
	b := newBench(t, func(c *Config) { c.MaxItems = 1 })
	b.receive(b.write("a", "1"))
	b.receive(b.write("b", "1"))
	mark := b.owner.Mark("o@h")
	bigger, later, smaller, again := mark, mark, mark, mark
	bigger.Size++
	later.Seq++
	smaller.Size--
	again.Inc++
	for i, m := range []antientropy.Mark{mark, bigger, later} {
		if !b.store.Refuses(b.now, &m) {
			t.Errorf("%d: %+v is not refused", i, m)
		}
	}
	for i, m := range []antientropy.Mark{smaller, again, {Key: "x@h", Inc: 1, Seq: 1, Size: 1 << 40}} {
		if b.store.Refuses(b.now, &m) {
			t.Errorf("%d: %+v is refused", i, m)
		}
	}
	if b.now += minute; !b.store.Refuses(b.now, &mark) || b.store.Refuses(b.now, &later) {
		t.Error("after a while only what has changed is looked at again")
	}
}
