package kernel

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// ErrClosed is what Next returns when nothing more will come: the bus or the
// subscription is closed.
var ErrClosed = errors.New("event bus closed")

// Bus carries events from any number of publishers to any number of subscribers. All
// subscribers see all events in the order of Publish. The zero Bus is ready to use;
// all methods are safe for concurrent use.
//
// A publisher never waits. Each subscription keeps at most so many events as it was
// made for; when it is full the oldest gives way to the newest, because what is going
// on now matters more, and the loss is counted and told in its place: see Next.
type Bus[T any] struct {
	mu     sync.Mutex
	subs   []*Subscription[T]
	closed bool
}

// Publish hands event to every subscription. It never blocks and allocates nothing;
// on a closed bus it does nothing.
func (b *Bus[T]) Publish(event T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.subs {
		s.push(event)
	}
}

// PublishFrom publishes what change returns, unless that says that nothing changed.
// While change runs nothing else is published and nobody subscribes: state that is
// changed only here and read by the initial function of SubscribeFrom fits the events
// exactly. change must not use the bus.
func (b *Bus[T]) PublishFrom(change func() (event T, changed bool)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	event, changed := change()
	if !changed {
		return
	}
	for _, s := range b.subs {
		s.push(event)
	}
}

// Subscribe returns a subscription that keeps up to size unread events, at least one,
// from now on. It must be closed.
func (b *Bus[T]) Subscribe(size int) *Subscription[T] { return b.SubscribeFrom(size, nil) }

// SubscribeFrom is Subscribe for one who must not miss what was there before: initial
// is called while nothing can be published, and the events it returns are read first.
// They are kept besides size and never dropped. initial must not use the bus, nor take
// a lock under which somebody publishes.
func (b *Bus[T]) SubscribeFrom(size int, initial func() []T) *Subscription[T] {
	s := &Subscription[T]{bus: b, ring: make([]T, max(size, 1)), wake: make(chan struct{}, 1)}
	b.mu.Lock()
	defer b.mu.Unlock()
	if initial != nil {
		s.first = slices.Clone(initial())
	}
	if b.closed {
		s.ended = true
		return s
	}
	b.subs = append(b.subs, s)
	return s
}

// Close ends the bus: subscribers read what they have not read yet, and then
// ErrClosed. Idempotent.
func (b *Bus[T]) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for _, s := range b.subs {
		s.end(false)
	}
	b.subs = nil
}

func (b *Bus[T]) remove(s *Subscription[T]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subs = slices.DeleteFunc(b.subs, func(other *Subscription[T]) bool { return other == s })
}

// Subscription is one reader of a Bus.
type Subscription[T any] struct {
	bus  *Bus[T]
	wake chan struct{} // holds a token when there may be something new

	mu    sync.Mutex
	first []T    // the initial events, still unread
	ring  []T    // the events after them
	head  int    // of the oldest in ring
	count int    // in ring
	lost  uint64 // dropped between first and the oldest in ring
	ended bool
}

// Next waits for the next event. gap is how many events were dropped right before it
// because this reader was too slow; almost always zero. The error is ErrClosed, or
// that of ctx. One goroutine at a time.
func (s *Subscription[T]) Next(ctx context.Context) (event T, gap uint64, err error) {
	for {
		event, gap, found, ended := s.pop()
		if found {
			return event, gap, nil
		}
		if ended {
			return event, 0, ErrClosed
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return event, 0, ctx.Err()
		}
	}
}

// Close ends the subscription: what was not read is thrown away. Idempotent, and safe
// while Next waits, which then returns ErrClosed.
func (s *Subscription[T]) Close() {
	s.bus.remove(s)
	s.end(true)
}

func (s *Subscription[T]) push(event T) {
	s.mu.Lock()
	if s.count == len(s.ring) {
		s.head = (s.head + 1) % len(s.ring)
		s.count--
		s.lost++
	}
	s.ring[(s.head+s.count)%len(s.ring)] = event
	s.count++
	s.mu.Unlock()
	s.signal()
}

func (s *Subscription[T]) pop() (event T, gap uint64, found, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.first) > 0 {
		event, s.first = s.first[0], s.first[1:]
		return event, 0, true, false
	}
	if s.count == 0 {
		return event, 0, false, s.ended
	}
	var zero T
	event, s.ring[s.head] = s.ring[s.head], zero
	gap, s.lost = s.lost, 0
	s.head = (s.head + 1) % len(s.ring)
	s.count--
	return event, gap, true, false
}

func (s *Subscription[T]) end(discard bool) {
	s.mu.Lock()
	s.ended = true
	if discard {
		s.first, s.count = nil, 0
		clear(s.ring)
	}
	s.mu.Unlock()
	s.signal()
}

// signal leaves a token unless one lies there already. A token too many makes Next
// look once more; a missing one would let it sleep over an event.
func (s *Subscription[T]) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
