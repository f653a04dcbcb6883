package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// run spawns a process and returns it with what its body returns.
func (w *world) run(p *Processes, spec Spec) *Process {
	w.t.Helper()
	proc, err := p.Spawn(spec)
	must(w.t, err)
	return proc
}

func TestSelectiveReceive(t *testing.T) {
	hereAndElsewhere(t, func(t *testing.T, w *world, from, at *Processes) {
		var got []any
		proc := w.run(at, Spec{Run: func(ctx context.Context, self *Self) error {
			for range 2 { // texts first, whatever came before
				s, _, err := Receive[string](ctx, self)
				if err != nil {
					return err
				}
				got = append(got, s)
			}
			m, err := self.ReceiveMatch(ctx, func(m Message) bool { n, _ := As[int](m); return n > 10 })
			if err != nil {
				return err
			}
			got = append(got, m.Value())
			short, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			if _, _, err := Receive[string](short, self); !errors.Is(err, context.DeadlineExceeded) {
				return fmt.Errorf("past the deadline: %w", err)
			}
			for range 3 {
				m, err := self.Receive(ctx)
				if err != nil {
					return err
				}
				got = append(got, m.Value())
			}
			return nil
		}})
		for _, v := range []any{1, "a", []byte("raw"), 20, "b", 2} {
			must(t, from.Send(t.Context(), ToRef(proc.Ref()), v))
			synctest.Wait()
		}
		<-proc.Done()
		must(t, proc.Reason())
		if want := "[a b 20 1 [114 97 119] 2]"; fmt.Sprint(got) != want {
			t.Errorf("received %v, want %s", got, want)
		}
	})
}

func TestAProcessAnswersItsCallsItself(t *testing.T) {
	hereAndElsewhere(t, func(t *testing.T, w *world, from, at *Processes) {
		proc := w.run(at, Spec{Run: func(ctx context.Context, self *Self) error {
			first, err := self.Receive(ctx)
			if err != nil {
				return err
			}
			second, err := self.Receive(ctx)
			second.Reply("second", nil)
			first.Reply(nil, errors.New("first"))
			first.Reply("again", nil)
			return err
		}})
		result := make(chan error, 1)
		go func() { _, err := from.Call(t.Context(), ToRef(proc.Ref()), nil); result <- err }()
		synctest.Wait()
		out, err := from.Call(t.Context(), ToRef(proc.Ref()), nil)
		if err != nil || out != "second" {
			t.Errorf("second: %v, %v", out, err)
		}
		var remote *RemoteError
		if err := <-result; !errors.As(err, &remote) || remote.Text != "first" {
			t.Errorf("first: %v", err)
		}
	})
}

// TestSentIsDeliveredPlusRefused overloads processes of every sort from both sides and
// counts to the last message.
func TestSentIsDeliveredPlusRefused(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		var mu sync.Mutex
		delivered, refused := 0, 0
		var procs []*Process
		for i := range 4 {
			spec := Spec{Mailbox: 1 + 20*i, Run: func(ctx context.Context, self *Self) error {
				for n := 0; ; n++ {
					if _, err := self.Receive(ctx); err != nil || i == 3 && n == 200 {
						return err // one ends in the middle, with a mailbox that is full
					}
					mu.Lock()
					delivered++
					mu.Unlock()
					time.Sleep(time.Duration(i) * time.Millisecond)
				}
			}}
			if i == 1 {
				spec.Policy = Refuse
			}
			procs = append(procs, w.run(b, spec))
		}
		const each, senders = 400, 3
		var sending sync.WaitGroup
		for range senders {
			for _, from := range []*Processes{a, b} {
				for i, proc := range procs {
					sending.Go(func() {
						for n := range each {
							var err error
							if (n+i)%2 == 0 {
								err = from.Cast(ToRef(proc.Ref()), n)
							} else {
								err = from.Send(t.Context(), ToRef(proc.Ref()), n)
							}
							if err != nil {
								mu.Lock()
								refused++
								mu.Unlock()
							}
						}
					})
				}
			}
		}
		sending.Wait()
		time.Sleep(time.Minute)
		for _, proc := range procs {
			proc.Stop()
		}
		synctest.Wait()
		for _, p := range []*Processes{a, b} {
			for _, n := range p.DeadLetters() {
				refused += int(n)
			}
		}
		if sent := each * senders * 2 * len(procs); delivered+refused+1 != sent { // one was taken and not counted
			t.Errorf("%d sent, %d delivered, %d refused: %d are missing", sent, delivered, refused, sent-delivered-refused)
		}
	})
}

func TestALargePayloadKeepsItsPlaceAndLetsOthersPass(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		var got []string
		sink := w.run(b, Spec{Run: func(ctx context.Context, self *Self) error {
			for {
				m, err := self.Receive(ctx)
				if err != nil {
					return err
				}
				got = append(got, fmt.Sprint(m.From.ID, " ", len(m.Bytes())))
			}
		}})
		begin := make(chan struct{})
		sender := func(sizes ...int) *Process {
			return w.run(a, Spec{Run: func(ctx context.Context, self *Self) error {
				<-begin
				for _, size := range sizes {
					if err := self.Send(ctx, ToRef(sink.Ref()), make([]byte, size)); err != nil {
						return err
					}
				}
				return nil
			}})
		}
		one := sender(1, 3<<20, 2, 1<<20, largeFrom, 3)
		close(begin)
		<-one.Done()
		must(t, one.Reason())
		must(t, b.Deliver(t.Context(), ToRef(sink.Ref()), "other")) // of another sender: waits for nothing
		synctest.Wait()
		var own []string
		for _, g := range got {
			if !slices.Contains([]string{"1 5"}, g) {
				own = append(own, g)
			}
		}
		id := one.Ref().ID
		want := []string{}
		for _, size := range []int{1, 3 << 20, 2, 1 << 20, largeFrom, 3} {
			want = append(want, fmt.Sprint(id, " ", size))
		}
		if !slices.Equal(own, want) {
			t.Errorf("came %q, want %q", own, want)
		}
		echoes := w.serve(b, "echo", Spec{Handle: echo})
		out, err := a.Call(t.Context(), ToRef(echoes.Ref()), make([]byte, 2<<20))
		if err != nil || len(bytesOf(out)) != 2<<20 {
			t.Errorf("a large answer: %d bytes, %v", len(bytesOf(out)), err)
		}
	})
}

// BenchmarkIdleProcess spawns b.N processes and tells what each of them takes:
//
//	go test -run '^$' -bench IdleProcess -benchtime 1000000x ./core/block/process
func BenchmarkIdleProcess(b *testing.B) {
	p := New(Config{Node: name.MustNode("a@h"), Tasks: plugin.NewTasks(func(p plugin.Panic) { b.Error(p) }), Log: slog.New(slog.DiscardHandler)})
	must2(b, p.Start(b.Context()))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	b.ResetTimer()
	for range b.N {
		_, err := p.Spawn(Spec{Run: func(ctx context.Context, self *Self) error { _, err := self.Receive(ctx); return err }})
		must2(b, err)
	}
	b.StopTimer()
	runtime.GC()
	runtime.ReadMemStats(&after)
	used := after.HeapAlloc - before.HeapAlloc + after.StackInuse - before.StackInuse
	b.ReportMetric(float64(used)/float64(b.N), "B/process")
	b.ReportMetric(float64(after.StackInuse-before.StackInuse)/float64(b.N), "B/stack")
	must2(b, p.Stop(b.Context()))
}

func must2(b *testing.B, err error) {
	if err != nil {
		b.Fatal(err)
	}
}
