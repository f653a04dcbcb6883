package process

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// tally notes what came, by sender.
type tally struct {
	mu  sync.Mutex
	got map[string][]int
}

func (y *tally) handle(_ context.Context, m Message) (any, error) {
	var sender string
	var n int
	_, err := fmt.Sscanf(string(m.Bytes()), "%s %d", &sender, &n)
	y.mu.Lock()
	defer y.mu.Unlock()
	y.got[sender] = append(y.got[sender], n)
	return nil, err
}

func (y *tally) check(t *testing.T, senders, messages int) {
	t.Helper()
	y.mu.Lock()
	defer y.mu.Unlock()
	if len(y.got) != senders {
		t.Errorf("%d senders were heard, want %d", len(y.got), senders)
	}
	for sender, got := range y.got {
		if len(got) != messages || !slices.IsSorted(got) {
			t.Errorf("of %s came %d messages, in order: %v; want %d in order", sender, len(got), slices.IsSorted(got), messages)
		}
	}
}

func TestOrderSurvivesMoves(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		tallies := []*tally{}
		for i := range 6 {
			y := &tally{got: map[string][]int{}}
			w.serve(b, fmt.Sprint("s", i), Spec{Handle: y.handle, Mailbox: 1 + 10*i})
			tallies = append(tallies, y)
		}
		const senders, messages = 4, 300
		var sending sync.WaitGroup
		for s := range senders {
			for i := range tallies {
				sending.Go(func() {
					for n := range messages {
						must(t, a.Send(t.Context(), to(b, fmt.Sprint("s", i)), fmt.Appendf(nil, "s%d %d", s, n)))
						if n%17 == s {
							time.Sleep(time.Millisecond)
						}
					}
				})
			}
		}
		stop := make(chan struct{})
		moving := sync.WaitGroup{}
		moving.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
					before := w.move(a, b)
					moving.Go(func() { time.Sleep(20 * time.Second); before.end() })
				}
			}
		})
		sending.Wait()
		close(stop)
		moving.Wait()
		synctest.Wait()
		for _, y := range tallies {
			y.check(t, senders, messages)
		}
		for reason, n := range b.DeadLetters() {
			if n += a.DeadLetters()[reason]; n > 0 {
				t.Errorf("%d dead letters: %s", n, reason)
			}
		}
	})
}

func TestAStreamThatArrivesLateIsWaitedFor(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		g := newGate()
		close(g.open)
		w.serve(b, "s", Spec{Handle: g.handle})
		slow := w.link(a.cfg.Node, b.cfg.Node)
		slow.held = make(chan struct{})
		must(t, a.Send(t.Context(), to(b, "s"), []byte("1")))
		synctest.Wait()
		w.move(a, b)
		synctest.Wait()
		must(t, a.Send(t.Context(), to(b, "s"), []byte("2")))
		time.Sleep(time.Second)
		if got := g.all(); len(got) > 0 {
			t.Errorf("%q came before what was sent first", got)
		}
		close(slow.held)
		synctest.Wait()
		if got := g.all(); !slices.Equal(got, []string{"1", "2"}) {
			t.Errorf("came %q", got)
		}
		slow.end()
	})
}

func TestAStreamThatNeverArrivesIsNotWaitedForLong(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		g := newGate()
		close(g.open)
		w.serve(b, "s", Spec{Handle: g.handle})
		stuck := w.link(a.cfg.Node, b.cfg.Node)
		stuck.held = make(chan struct{})
		result := make(chan error, 1)
		go func() { result <- a.Deliver(t.Context(), to(b, "s"), []byte("1")) }()
		synctest.Wait()
		w.move(a, b)
		synctest.Wait()
		must(t, a.Send(t.Context(), to(b, "s"), []byte("2")))
		time.Sleep(gapTime + time.Second)
		if got := g.all(); !slices.Equal(got, []string{"2"}) {
			t.Errorf("came %q", got)
		}
		close(stuck.held) // now it comes, too late
		if err := <-result; !errors.Is(err, ErrNoConnection) {
			t.Errorf("what came too late: %v", err)
		}
		synctest.Wait()
		if got := g.all(); !slices.Equal(got, []string{"2"}) {
			t.Errorf("came %q, out of order", got)
		}
		stuck.end()
	})
}

func TestAnUnusedStreamIsClosedAndForgotten(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		g := newGate()
		close(g.open)
		w.serve(b, "s", Spec{Handle: g.handle})
		for i := range 5 {
			must(t, a.Send(t.Context(), to(b, "s"), fmt.Append(nil, i)))
			time.Sleep(2*outletIdle + time.Second)
			for shard := range shards + 1 {
				o := &a.remote(b.cfg.Node).outlets[shard]
				o.mu.Lock()
				if o.running {
					t.Errorf("a goroutine of stream %d is kept", shard)
				}
				o.mu.Unlock()
			}
		}
		if got := g.all(); !slices.Equal(got, []string{"0", "1", "2", "3", "4"}) {
			t.Errorf("came %q", got)
		}
		a.PeerDown(b.cfg.Node, "")
		b.PeerDown(a.cfg.Node, "")
		if len(a.guests)+len(b.guests)+len(a.remotes.list())+len(b.remotes.list()) > 0 {
			t.Error("a peer is remembered after its link")
		}
	})
}

func TestGenerations(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.node("b@h")
		g := newGate()
		close(g.open)
		w.serve(b, "s", Spec{Handle: g.handle})
		x := w.peer("x@h", b)
		say := func(s *end, text string) {
			number := uint64(len(text)) // an account for each message
			_, _ = s.Write((&frame{kind: frameOpen, account: number, target: to(b, "s")}).encode())
			_, _ = s.Write((&frame{kind: frameSend, account: number, sender: 1, codec: Raw, data: []byte(text)}).encode())
			synctest.Wait()
		}
		second := x.stream(encodeStreamHeader(0, 20, 0))
		say(second, "20")
		if s := x.stream(encodeStreamHeader(0, 20, 0)); !refused(s) {
			t.Error("the same generation twice is read")
		}
		if s := x.stream(encodeStreamHeader(0, 19, 0)); !refused(s) {
			t.Error("an earlier generation is read")
		}
		third := x.stream(encodeStreamHeader(0, 1<<63, 20)) // waits for the second
		say(third, "3rd")
		say(second, "20 again")
		must(t, second.CloseWrite())
		synctest.Wait()
		if got := g.all(); !slices.Equal(got, []string{"20", "20 again", "3rd"}) {
			t.Errorf("came %q", got)
		}
		for _, head := range [][]byte{
			encodeStreamHeader(largeShard+1, 99, 0), encodeStreamHeader(1, 0, 0), encodeStreamHeader(1, 5, 5),
		} {
			if s := x.stream(head); !refused(s) {
				t.Errorf("header %x is taken", head)
			}
		}
		var waiting []*end
		for i := range uint64(100) {
			waiting = append(waiting, x.stream(encodeStreamHeader(0, 1<<63+1+i, 0)))
		}
		synctest.Wait()
		b.mu.Lock()
		if n := len(b.guests[x.node].inlets[0].queue); n > maxQueued {
			t.Errorf("%d streams wait", n)
		}
		b.mu.Unlock()
		third.Reset(0)
		for _, s := range waiting {
			s.Reset(0)
		}
	})
}

func TestAnEarlierLifeIsNotHeard(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.node("b@h")
		node := name.MustNode("x@h")
		l := w.link(node, b.cfg.Node)
		receive := func(incarnation uint64) *end {
			here, there := l.open()
			w.tasks.Go(func() { b.Receive(context.Background(), node, incarnation, there) })
			_, _ = here.Write(encodeStreamHeader(0, 1, 0))
			synctest.Wait()
			return here
		}
		receive(2)
		if old := receive(1); !refused(old) {
			t.Error("a stream of an earlier life is read")
		}
		receive(3)
	})
}
