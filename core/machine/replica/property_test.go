package replica

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/barrelp2p/barrel/core/machine/ownerlog"
)

// TestConverges: whatever is lost, repeated, reordered, forged, cut off and restarted,
// nothing old is ever shown after the new, and once the world is whole again all see
// what all have put, and nothing else.
func TestConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 5).Draw(t, "nodes")
		w := newWorld(t.Fatalf, n, rapid.Uint64().Draw(t, "seed"))
		w.loss = rapid.SampledFrom([]float64{0, 0.1, 0.5}).Draw(t, "loss")
		w.busy = rapid.SampledFrom([]float64{0, 0, 0.2}).Draw(t, "busy")
		if rapid.Bool().Draw(t, "short") {
			w.short = 30 * time.Second
			for i := range w.lives { // with the short times
				w.stop(i)
				w.start(i)
			}
		}
		if rapid.Bool().Draw(t, "forger") {
			w.spoil = forge
		}
		for range rapid.IntRange(1, 40).Draw(t, "actions") {
			act(t, w)
		}
		w.mend()
		w.run(w.now + time.Minute)
		w.agree()
		if w.short > 0 {
			w.run(w.now + 15*w.short)
			w.agree()
			w.forgotten()
		}
	})
}

func act(t *rapid.T, w *world) {
	anyone := rapid.IntRange(0, len(w.lives)-1)
	i, j := anyone.Draw(t, "node"), anyone.Draw(t, "other")
	switch rapid.SampledFrom([]string{"put", "put", "put", "remove", "burst", "link", "link", "unlink", "restart", "stop", "dies", "divide", "find", "wait", "wait", "long wait"}).Draw(t, "action") {
	case "put":
		w.write(i, fmt.Sprint("k", rapid.IntRange(0, 5).Draw(t, "key")), false)
	case "remove":
		w.write(i, fmt.Sprint("k", rapid.IntRange(0, 5).Draw(t, "key")), true)
	case "burst":
		for k := range rapid.SampledFrom([]int{3, 100, 150}).Draw(t, "many") {
			w.write(i, fmt.Sprint("k", k), false)
			w.run(w.now + 5*time.Millisecond)
		}
	case "link":
		w.link(i, j)
	case "unlink":
		w.unlink(i, j)
	case "restart":
		if w.lives[i] != nil {
			w.stop(i)
		}
		if !w.dead[i] {
			w.start(i)
		}
	case "stop":
		if w.lives[i] != nil {
			w.stop(i)
		}
	case "dies": // and is not seen again, unless all others have
		if w.dead[i] = w.others(i) > 0; w.dead[i] && w.lives[i] != nil {
			w.stop(i)
		}
	case "long wait": // until what the dead have left is freed, or forgotten
		w.run(w.now + time.Duration(rapid.SampledFrom([]int{1, 3, 6}).Draw(t, "long"))*max(w.short, 30*time.Second))
	case "divide":
		w.divide(rapid.SliceOfN(rapid.IntRange(0, 1), len(w.cut), len(w.cut)).Draw(t, "sides"))
	case "find":
		w.step(i, Input{Kind: Find, Text: "k1"})
	case "wait":
		w.run(w.now + time.Duration(rapid.SampledFrom([]int{10, 300, 3000, 20000}).Draw(t, "wait"))*time.Millisecond)
	}
}

// others counts those that are not dead for good, but for one.
func (w *world) others(i int) (n int) {
	for j := range w.lives {
		if j != i && !w.dead[j] {
			n++
		}
	}
	return n
}

// forgotten fails unless nothing is kept of the dead: all their watermarks have passed.
func (w *world) forgotten() {
	for i, dead := range w.dead {
		for _, l := range w.lives {
			if dead && l != nil {
				if inc, _ := l.m.Store().Position(node(i).String()); inc > 0 {
					w.fail("n%d still knows n%d, that is dead", l.id, i)
				}
			}
		}
	}
}

// forge takes a broadcast of somebody and makes others of it that its owner never signed:
// another key, other operations, another number, another owner, another life.
func forge(w *world, from int, data []byte) {
	for _, change := range []func(b *ownerlog.Batch){
		func(b *ownerlog.Batch) { b.Head.Sig = sign(node(99), b.Head.Message()) },
		func(b *ownerlog.Batch) {
			b.Ops = append(b.Ops, ownerlog.Op{Key: "forged", Val: "1"})
		},
		func(b *ownerlog.Batch) { b.Head.Seq += uint64(w.rng.IntN(3)) + 1 },
		func(b *ownerlog.Batch) { b.Head.Inc++ },
		func(b *ownerlog.Batch) { b.Head.Owner = node((from + 1) % len(w.lives)) },
		func(b *ownerlog.Batch) { b.Head.State[3]++ },
	} {
		b, err := ownerlog.DecodeBatch(data)
		if err != nil {
			w.fail("own broadcast: %v", err)
		}
		change(b)
		w.post(w.rng.IntN(len(w.lives)), from, w.delay(300), Input{Kind: Broadcast, Data: ownerlog.AppendBatch(nil, b)})
	}
}
