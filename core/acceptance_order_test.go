package core_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// numbered is the n-th message of a sender.
type numbered struct{ Sender, N int }

// collector takes messages and notes what is not as it should be.
type collector struct {
	mu   sync.Mutex
	last map[int]int
	got  atomic.Int64
}

func (c *collector) take(t *testing.T, m numbered, gaps bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.last[m.Sender]
	if m.N <= before || !gaps && m.N != before+1 {
		t.Errorf("of sender %d came %d behind %d", m.Sender, m.N, before)
	}
	c.last[m.Sender] = m.N
	c.got.Add(1)
}

// Eight senders to each of eight receivers over one link: nothing is lost, doubled or
// out of order.
func TestOrderOfManyPairs(t *testing.T) {
	t.Parallel()
	f := newField(t)
	a, b := f.pair()
	const senders, receivers, messages = 8, 8, 400
	run := multitude(t, a, b, senders, receivers, false)
	run.send(t, messages, false)
	eventually(t, "all have come", func() bool { return run.got() == senders*receivers*messages })
}

// The same while the link is cut, again and again: some are lost, which no order and no
// number hides, and none comes twice or too late.
func TestOrderWhileTheLinkIsCut(t *testing.T) {
	t.Parallel()
	f := newField(t)
	a, b := f.pair()
	const senders, receivers, messages = 8, 8, 300
	run := multitude(t, a, b, senders, receivers, true)
	over := make(chan struct{})
	go func() {
		defer close(over)
		run.send(t, messages, true)
	}()
	cuts := 0
	for done := false; !done; {
		select {
		case <-over:
			done = true
		default:
			if adminOf(t, a).Status().Links > 0 {
				f.disconnect(a, b)
				cuts++
			}
		}
	}
	if cuts == 0 {
		t.Error("the link was never cut")
	}
	run.arrives(t)
	run.addsUp(t, senders*receivers*messages)
}

// The same with a link that falls silent, without a word to either side.
func TestOrderWhileTheLinkIsSilent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.boot(named(seed1)+table), w.boot(named(seed2)+contacts+table)
		eventually(t, "they know each other", knowEachOther(a, b))
		const senders, receivers, messages, cuts = 8, 8, 100, 2
		run := multitude(t, a, b, senders, receivers, true)
		run.pace = 200 * time.Millisecond // so that they are sending when the link is cut
		over := make(chan struct{})
		go func() {
			defer close(over)
			run.send(t, messages, true)
		}()
		for range cuts {
			before := run.got()
			eventually(t, "messages come", func() bool { return run.got() >= before+senders*receivers*10 })
			w.ether.split(1, "10.0.0.2")
			eventually(t, "the link is lost", func() bool { return len(a.Nodes(false)) == 0 && len(b.Nodes(false)) == 0 })
			w.ether.split(0, "10.0.0.2")
		}
		<-over
		run.arrives(t)
		if run.addsUp(t, senders*receivers*messages); a.DeadLetters()["in doubt"] == 0 {
			t.Error("what was sent into the silence is not in doubt")
		}
	})
}

// arrives waits until a message arrives after the cuts.
func (r *senders) arrives(t *testing.T) {
	t.Helper()
	attempt := 0 // whose receipt is lost may have come all the same
	eventually(t, "a message arrives after the cuts", func() bool {
		attempt++
		err := core.Deliver(t.Context(), r.from, r.refs[0], numbered{Sender: 99, N: attempt})
		if err != nil && !errors.Is(err, core.ErrNoConnection) {
			t.Errorf("after the cuts: %v", err)
		}
		return err == nil
	})
	r.extra = int64(attempt)
}

// addsUp: what was sent has come, was an error, or is a dead letter, in doubt or not.
func (r *senders) addsUp(t *testing.T, sent int64) {
	t.Helper()
	var dead, doubt uint64
	eventually(t, "all is accounted for", func() bool { // at either end, when it has noticed
		dead, doubt = 0, r.from.DeadLetters()["in doubt"]
		for _, n := range []*core.Node{r.from, r.at} {
			for _, count := range n.DeadLetters() {
				dead += count
			}
		}
		return r.got()+r.failed.Load()+int64(dead) >= sent
	})
	t.Logf("of %d messages %d came, %d were errors, %d are dead letters, %d of them in doubt", sent, r.got(), r.failed.Load(), dead, doubt)
	if got := r.got(); got > sent+r.extra-r.failed.Load() {
		t.Errorf("%d messages came, %d were sent, of which %d failed", got, sent, r.failed.Load())
	}
}

type senders struct {
	from, at   *core.Node
	count      int
	pace       time.Duration // between two messages of a sender
	extra      int64         // messages that were sent afterwards
	failed     atomic.Int64  // sends
	collectors []*collector
	refs       []name.Ref
}

func multitude(t *testing.T, from, at *core.Node, senderCount, receivers int, gaps bool) *senders {
	t.Helper()
	for _, n := range []*core.Node{from, at} {
		if err := core.AddType[numbered](n, "numbered"); err != nil {
			t.Fatal(err)
		}
	}
	run := &senders{from: from, at: at, count: senderCount}
	for range receivers {
		c := &collector{last: map[int]int{}}
		proc, err := at.Spawn(core.Spec{Run: func(ctx context.Context, self *core.Self) error {
			for {
				m, _, err := core.Receive[numbered](ctx, self)
				if err != nil {
					return err
				}
				c.take(t, m, gaps)
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		run.collectors, run.refs = append(run.collectors, c), append(run.refs, proc.Ref())
	}
	return run
}

func (r *senders) got() (n int64) {
	for _, c := range r.collectors {
		n += c.got.Load()
	}
	return n
}

// send lets processes send; lossy means that a send may fail for want of a link.
func (r *senders) send(t *testing.T, messages int, lossy bool) {
	var all sync.WaitGroup
	for s := range r.count {
		for _, ref := range r.refs {
			all.Add(1)
			_, err := r.from.Spawn(core.Spec{Run: func(ctx context.Context, self *core.Self) error {
				defer all.Done()
				for n := 1; n <= messages; n++ {
					err := self.Send(ctx, core.Target{Node: ref.Node, Ref: ref}, numbered{s, n})
					if err != nil && !(lossy && errors.Is(err, core.ErrNoConnection)) {
						t.Errorf("message %d: %v", n, err)
						return err
					}
					if err != nil {
						r.failed.Add(1)
					}
					if r.pace > 0 {
						time.Sleep(r.pace)
					}
				}
				return nil
			}})
			if err != nil {
				t.Error(err)
				all.Done()
			}
		}
	}
	all.Wait()
}

// disconnect cuts the link under two nodes: its pin is taken away and pinned anew.
func (l *lab) disconnect(a, b *core.Node) {
	l.t.Helper()
	admin := adminOf(l.t, a)
	if err := admin.RemovePin(b.Name()); err != nil && !errors.Is(err, transport.ErrClosed) {
		l.t.Log(err) // it has been forgotten already
	}
}
