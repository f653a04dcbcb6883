package broadcast

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/core/machine/plumtree"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// ring links each node with the next and the one across.
func ring(w *world, all []*station) {
	for i, s := range all {
		w.link(s, all[(i+1)%len(all)])
		w.link(s, all[(i+len(all)/2)%len(all)])
	}
}

func TestEverybodyHearsEverythingOnce(t *testing.T) {
	inWorld(t, 20, func(t *testing.T, w *world, all []*station) {
		ring(w, all)
		for i := range 50 {
			all[i%len(all)].say(t, fmt.Sprint("m", i))
		}
		within(t, 10*time.Second, "all heard all", func() bool {
			for i := range 50 {
				for j, s := range all {
					if (s.count(fmt.Sprint("m", i)) == 1) == (j == i%len(all)) {
						return false
					}
				}
			}
			return true
		})
	})
}

func TestTheTreeIsTold(t *testing.T) {
	inWorld(t, 4, func(t *testing.T, w *world, all []*station) {
		for _, s := range all[1:] {
			w.link(all[0], s)
		}
		w.link(all[1], all[2])
		for range 5 {
			all[0].say(t, "x")
			time.Sleep(time.Second)
		}
		edges := 0
		for _, s := range all {
			s.mu.Lock()
			edges += len(s.tree)
			if len(s.Tree()) != len(s.tree) {
				t.Errorf("%s: the tree is %v, and %v was told", s.node, s.Tree(), s.tree)
			}
			s.mu.Unlock()
		}
		if edges != 2*3 {
			t.Errorf("%d ends of edges in a tree of 4, want 6", edges)
		}
	})
}

// TestASlowNeighbourMissesNothing: who does not read gets announcements in the place of
// payloads, costs bounded memory, and has everything when it reads again; others do not wait.
func TestASlowNeighbourMissesNothing(t *testing.T) {
	inWorld(t, 3, func(t *testing.T, w *world, all []*station) {
		w.link(all[0], all[1])
		w.link(all[0], all[2])
		slow := all[1]
		slow.stopReading()
		payload := strings.Repeat("p", 16<<10)
		const n = 800 // 12.8 MiB, three outboxes; the machine keeps 16 MiB
		for i := range n {
			all[0].say(t, fmt.Sprint(i, payload))
		}
		within(t, 10*time.Second, "the other has all", func() bool { return all[2].count(fmt.Sprint(n-1, payload)) == 1 })
		to, _ := all[0].find(slow.node)
		to.out.mu.Lock()
		if to.out.bytes > outboxBytes {
			t.Errorf("%d bytes wait for one neighbour", to.out.bytes)
		}
		to.out.mu.Unlock()
		if all[0].Stats().Turned == 0 || all[0].Stats().Demoted == 0 {
			t.Errorf("the machine was not told: %+v", all[0].Stats())
		}
		slow.hear()
		within(t, 30*time.Second, "the slow one has all", func() bool {
			for i := range n {
				if slow.count(fmt.Sprint(i, payload)) != 1 {
					return false
				}
			}
			return true
		})
	})
}

func TestFlushWaitsForTheNeighbours(t *testing.T) {
	inWorld(t, 3, func(t *testing.T, w *world, all []*station) {
		w.link(all[0], all[1])
		w.link(all[0], all[2])
		all[0].say(t, "bye")
		if err := all[0].Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if all[1].count("bye") != 1 || all[2].count("bye") != 1 {
			t.Error("flushed before it was read")
		}
		all[2].stopReading()
		all[0].say(t, strings.Repeat("x", 1000))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := all[0].Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a neighbour that reads nothing: %v", err)
		}
		done := make(chan error, 1)
		go func() { done <- all[0].Flush(t.Context()) }()
		time.Sleep(time.Second)
		all[0].Down(all[2].node) // is not waited for any more
		if err := <-done; err != nil {
			t.Error(err)
		}
		all[2].hear()
	})
}

// TestABrokenStreamIsReplaced: what was in it is asked for again.
func TestABrokenStreamIsReplaced(t *testing.T) {
	inWorld(t, 2, func(t *testing.T, w *world, all []*station) {
		w.link(all[0], all[1])
		for i := range 20 {
			all[0].say(t, fmt.Sprint("m", i))
			if i%5 == 4 {
				open := all[0].open()
				open[len(open)-1].Reset(0)
			}
			time.Sleep(300 * time.Millisecond)
		}
		within(t, 10*time.Second, "all of it", func() bool {
			for i := range 20 {
				if all[1].count(fmt.Sprint("m", i)) != 1 {
					return false
				}
			}
			return true
		})
	})
}

// TestAnotherConnection: the stream follows the link, and nothing is lost.
func TestAnotherConnection(t *testing.T) {
	inWorld(t, 2, func(t *testing.T, w *world, all []*station) {
		w.link(all[0], all[1])
		all[0].say(t, "before")
		time.Sleep(time.Second)
		for _, s := range all[0].open() {
			close(s.moved) // only one of them is for writing
		}
		all[0].say(t, "after")
		within(t, time.Second, "both", func() bool { return all[1].count("before") == 1 && all[1].count("after") == 1 })
		if n := len(all[0].open()); n != 3 { // one of the other end, two of its own
			t.Errorf("%d streams", n)
		}
	})
}

// TestAFloodIsSlowedDown: who sends more than is read waits, and an honest neighbour is heard.
func TestAFloodIsSlowedDown(t *testing.T) {
	inWorld(t, 3, func(t *testing.T, w *world, all []*station) {
		w.link(all[0], all[1])
		w.link(all[0], all[2])
		for i := range 8 * framesPerSecond {
			all[1].say(t, fmt.Sprint("flood", i))
		}
		time.Sleep(3 * time.Second)
		if got := all[0].Stats().Delivered; got > 6*framesPerSecond {
			t.Errorf("%d of a flood were read in 3s", got)
		}
		all[2].say(t, "honest")
		within(t, time.Second, "the honest one", func() bool { return all[0].count("honest") == 1 })
	})
}

func TestStrangersAndNoise(t *testing.T) {
	inWorld(t, 2, func(t *testing.T, w *world, all []*station) {
		for _, bytesOf := range [][]byte{{0, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff}, {0, 0, 0, 4, 'P', 9, 9, 9}, bytes.Repeat([]byte{7}, 100)} {
			w.link(all[0], all[1])
			near, far := pipe(all[1], all[0])
			w.tasks.Go(func() { all[0].Receive(context.Background(), all[1].node, far) })
			_, _ = near.Write(bytesOf)
			within(t, time.Second, "noise is turned away", func() bool {
				far.r.mu.Lock()
				defer far.r.mu.Unlock()
				return far.r.closed != nil
			})
			w.unlink(all[0], all[1])
		}
		near, far := pipe(all[1], all[0])
		w.tasks.Go(func() { all[0].Receive(context.Background(), name.MustNode("stranger@h"), far) })
		_, _ = near.Write(frame(&plumtree.Message{Kind: plumtree.Gossip, ID: plumtree.ID{Origin: 9, Seq: 1}, Key: uint64(Membership), Data: []byte("hi")}))
		time.Sleep(2 * strangerWait)
		if all[0].count("hi") != 0 {
			t.Error("a stranger was heard")
		}
	})
}

func TestErrors(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, _ *world, all []*station) {
		if err := all[0].Send(Membership, make([]byte, MaxData+1)); !errors.Is(err, membership.ErrTooLarge) {
			t.Errorf("too large: %v", err)
		}
		if err := all[0].Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := all[0].Send(Membership, nil); !errors.Is(err, plugin.ErrGone) {
			t.Errorf("after Stop: %v", err)
		}
		all[0].Up(name.MustNode("x@h"))
		if len(all[0].Tree()) != 0 {
			t.Error("a stopped block took a neighbour")
		}
	})
}

func FuzzReadBody(f *testing.F) {
	f.Add(frame(&plumtree.Message{Kind: plumtree.Prune}))
	f.Add(syncFrame(syncAsk, 7))
	f.Add([]byte{0xff, 0, 0, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		body, err := readBody(bytes.NewReader(data))
		if err != nil {
			return
		}
		if len(body) == 0 || len(body) > maxBody {
			t.Fatalf("a body of %d bytes", len(body))
		}
		if kind, id, ok := parseSync(body); ok && !bytes.Equal(syncFrame(kind, id)[headSize:], body) {
			t.Errorf("%x is not what it encodes to", body)
		}
	})
}

// What waits for a neighbour that reads nothing is let go when it is none any more, although
// its connection stays: it could become one and stop reading as often as it likes.
func TestAWriterEndsWithItsNeighbour(t *testing.T) {
	inWorld(t, 2, func(t *testing.T, w *world, all []*station) {
		a, b := all[0], all[1]
		w.link(a, b)
		synctest.Wait()
		b.stopReading()
		for range 2 * window / MaxData {
			a.say(t, strings.Repeat("x", MaxData))
		}
		synctest.Wait()
		writer := "write to " + b.node.String()
		if !slices.Contains(a.cfg.Tasks.Running(), writer) {
			t.Fatalf("nobody writes: %v", a.cfg.Tasks.Running())
		}
		a.Down(b.node)
		time.Sleep(time.Minute)
		synctest.Wait()
		if slices.Contains(a.cfg.Tasks.Running(), writer) {
			t.Error("it still writes to what has been no neighbour for a minute")
		}
	})
}
