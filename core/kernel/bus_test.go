package kernel

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
)

// expectEvents reads events and the gaps before them.
func expectEvents(t *testing.T, s *Subscription[int], want ...[2]int) {
	t.Helper()
	for _, w := range want {
		event, gap, err := s.Next(t.Context())
		if err != nil || event != w[0] || gap != uint64(w[1]) {
			t.Fatalf("got event %d after a gap of %d, %v; want %d after %d", event, gap, err, w[0], w[1])
		}
	}
}

func TestASlowReaderLosesTheOldestAndIsToldWhere(t *testing.T) {
	var bus Bus[int]
	s := bus.Subscribe(3)
	defer s.Close()
	bus.Publish(1)
	bus.Publish(2)
	expectEvents(t, s, [2]int{1, 0})
	for i := 3; i <= 8; i++ {
		bus.Publish(i)
	}
	expectEvents(t, s, [2]int{6, 4}, [2]int{7, 0}, [2]int{8, 0})
	bus.Publish(9)
	expectEvents(t, s, [2]int{9, 0})
}

func TestSubscribersSeeTheSameOrderFromWhenTheyCame(t *testing.T) {
	var bus Bus[int]
	early := bus.Subscribe(8)
	defer early.Close()
	bus.Publish(1)
	late := bus.Subscribe(8)
	defer late.Close()
	bus.Publish(2)
	expectEvents(t, early, [2]int{1, 0}, [2]int{2, 0})
	expectEvents(t, late, [2]int{2, 0})
}

func TestInitialEventsComeFirstAndAreNeverDropped(t *testing.T) {
	var bus Bus[int]
	s := bus.SubscribeFrom(1, func() []int { return []int{1, 2, 3} })
	defer s.Close()
	for i := 4; i <= 6; i++ {
		bus.Publish(i)
	}
	expectEvents(t, s, [2]int{1, 0}, [2]int{2, 0}, [2]int{3, 0}, [2]int{6, 2})
}

func TestClose(t *testing.T) {
	var bus Bus[int]
	drained, closed := bus.Subscribe(4), bus.Subscribe(4)
	bus.Publish(1)
	bus.Publish(2)
	closed.Close()
	closed.Close()
	bus.Close()
	bus.Close()
	bus.Publish(3)
	expectEvents(t, drained, [2]int{1, 0}, [2]int{2, 0})
	for _, s := range []*Subscription[int]{drained, closed, bus.Subscribe(1)} {
		if _, _, err := s.Next(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("error %v", err)
		}
		s.Close()
	}
}

func TestNextEndsWithItsContextAndWithClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus Bus[int]
		s := bus.Subscribe(1)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		wait := func(ctx context.Context) {
			_, _, err := s.Next(ctx)
			ended <- err
		}
		go wait(ctx)
		synctest.Wait()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		go wait(t.Context())
		synctest.Wait()
		s.Close()
		if err := <-ended; !errors.Is(err, ErrClosed) {
			t.Errorf("error %v", err)
		}
	})
}

// What a reader got and what it was told it missed is all there was, in order.
func TestNothingIsLostWithoutBeingCounted(t *testing.T) {
	const publishers, each = 4, 2000
	var bus Bus[int]
	var readers, writers sync.WaitGroup
	for _, size := range []int{1, 7, 100, publishers * each} {
		s := bus.Subscribe(size)
		readers.Go(func() {
			defer s.Close()
			if total := countAll(t, s); total != publishers*each {
				t.Errorf("a reader of size %d accounts for %d events", size, total)
			}
		})
	}
	for range publishers {
		writers.Go(func() {
			for i := range each {
				bus.Publish(i)
			}
		})
	}
	writers.Wait()
	bus.Close()
	readers.Wait()
}

func countAll(t *testing.T, s *Subscription[int]) (total int) {
	for {
		_, gap, err := s.Next(t.Context())
		if err != nil {
			return total
		}
		total += 1 + int(gap)
	}
}

// A counter that is changed under PublishFrom and read under SubscribeFrom fits the
// events exactly: whenever one subscribes, none is missing and none is there twice.
func TestStateAndEventsFit(t *testing.T) {
	const last = 3000
	var bus Bus[int]
	count := 0
	var readers sync.WaitGroup
	go func() {
		for range last {
			bus.PublishFrom(func() (int, bool) { count++; return count, true })
		}
		bus.Close()
	}()
	for range 50 {
		s := bus.SubscribeFrom(last, func() []int { return []int{count} })
		readers.Go(func() {
			defer s.Close()
			at, _, _ := s.Next(t.Context())
			for {
				next, _, err := s.Next(t.Context())
				if err != nil {
					break
				}
				if next != at+1 {
					t.Errorf("%d came after %d", next, at)
				}
				at = next
			}
			if at != last {
				t.Errorf("ended at %d", at)
			}
		})
	}
	readers.Wait()
}

func TestSubscribersComeAndGo(t *testing.T) {
	var bus Bus[int]
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 500 {
				bus.Publish(i)
				s := bus.Subscribe(2)
				bus.Publish(i)
				if _, _, err := s.Next(t.Context()); err != nil {
					t.Error(err)
				}
				s.Close()
			}
		})
	}
	all.Wait()
	if len(bus.subs) != 0 {
		t.Errorf("%d subscriptions are left", len(bus.subs))
	}
}

func BenchmarkPublish(b *testing.B) {
	for _, n := range []int{0, 1, 10} {
		b.Run(fmt.Sprintf("subscribers=%d", n), func(b *testing.B) {
			var bus Bus[Event]
			for range n {
				defer bus.Subscribe(64).Close()
			}
			event := Event{Part: "transport/quic"}
			b.ReportAllocs()
			for b.Loop() {
				bus.Publish(event)
			}
		})
	}
}

func TestPublishAllocatesNothing(t *testing.T) {
	for _, n := range []int{0, 1, 10} {
		var bus Bus[Event]
		for range n {
			defer bus.Subscribe(64).Close()
		}
		event := Event{Part: "transport/quic"}
		if allocs := testing.AllocsPerRun(1000, func() { bus.Publish(event) }); allocs != 0 {
			t.Errorf("%d subscribers: %v allocations", n, allocs)
		}
	}
}
