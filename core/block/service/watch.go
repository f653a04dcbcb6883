package service

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// Synced is the type of the event that ends the initial state of a Watcher: all that was
// there has been told as registered, what comes now is new.
const Synced registry.EventType = "synced"

// ErrClosed: the watcher has been closed, or the node has stopped.
var ErrClosed = errors.New("watcher is closed")

// watchRoom is how many events wait for a slow reader.
const watchRoom = 1024

// Watcher follows the services whose names start with a prefix. Its events, applied in
// order, are the state: nothing is told twice, and a reader that was too slow for all
// that happened is told the difference to what is there now.
type Watcher struct {
	services *Services
	prefix   string
	only     name.Service // zero: all with the prefix

	reading sync.Mutex               // held while the next event is looked for; before mu
	backlog []registry.Event         // the difference to what is there
	synced  bool                     // the initial state has been told
	known   map[place]registry.Entry // as the reader knows it

	mu     sync.Mutex    // held for a moment only: those who have events wait for it
	wake   chan struct{} // holds a token when there may be something
	queue  []registry.Event
	lost   bool // the queue was full
	closed bool
}

type place struct {
	service name.Service
	ref     name.Ref
}

// Watch follows the services whose names start with prefix; "" is all. It begins with
// what is there. It must be closed.
func (s *Services) Watch(prefix string) *Watcher {
	return s.follow(s.watcher(prefix))
}

// WatchOne is Watch for a single name.
func (s *Services) WatchOne(service name.Service) *Watcher {
	w := s.watcher(service.String())
	w.only = service
	return s.follow(w)
}

func (s *Services) watcher(prefix string) *Watcher {
	return &Watcher{services: s, prefix: prefix, wake: make(chan struct{}, 1), lost: true, known: map[place]registry.Entry{}}
}

func (s *Services) follow(w *Watcher) *Watcher {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watchers[w] = struct{}{}
	return w
}

func (w *Watcher) sees(service name.Service) bool {
	return strings.HasPrefix(service.String(), w.prefix) && (w.only.IsZero() || service == w.only)
}

// take queues an event, and never blocks.
func (w *Watcher) take(e registry.Event) {
	if !w.sees(e.Entry.Service) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) >= watchRoom {
		w.queue, w.lost = nil, true
	}
	if !w.lost {
		w.queue = append(w.queue, e)
	}
	w.signal()
}

func (w *Watcher) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Next waits for the next event. Its error is that of ctx, or ErrClosed.
func (w *Watcher) Next(ctx context.Context) (registry.Event, error) {
	for {
		if e, ok, err := w.next(); ok || err != nil {
			return e, err
		}
		select {
		case <-ctx.Done():
			return registry.Event{}, ctx.Err()
		case <-w.wake:
		}
	}
}

// next is the next event, if there is one: first of what was there, then of what happened.
func (w *Watcher) next() (registry.Event, bool, error) {
	w.reading.Lock()
	defer w.reading.Unlock()
	for {
		e, state := w.shift()
		switch state {
		case shut:
			w.signal() // for others who wait
			return e, false, ErrClosed
		case behind:
			w.catchUp()
		case empty:
			return e, false, nil
		case some:
			if w.learn(&e) {
				return e, true, nil
			}
		}
	}
}

// state is what a reader finds.
type state uint8

const (
	empty state = iota
	some
	behind
	shut
)

// shift takes what comes next off the backlog, or else off the queue.
func (w *Watcher) shift() (e registry.Event, s state) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
		return e, shut
	case w.lost:
		w.lost, w.queue = false, nil // what happens from now on is told after what is there
		return e, behind
	case len(w.backlog) > 0:
		e, w.backlog = w.backlog[0], w.backlog[1:]
	case !w.synced:
		e = registry.Event{Type: Synced}
	case len(w.queue) > 0:
		e, w.queue = w.queue[0], w.queue[1:]
	default:
		return e, empty
	}
	return e, some
}

// learn applies an event to what the reader knows; false: it is no news. Events and the
// state they come from are not read at one moment, so some tell what is known already.
func (w *Watcher) learn(e *registry.Event) bool {
	if e.Type == Synced {
		w.synced = true
		return true
	}
	at := place{e.Entry.Service, e.Entry.Ref}
	old, had := w.known[at]
	switch e.Type {
	case registry.Registered, registry.Updated:
		if had && maps.Equal(old.Meta, e.Entry.Meta) {
			return false
		}
		w.known[at] = e.Entry
		e.Type = registry.Registered
		if had {
			e.Type = registry.Updated
		}
		return true
	}
	delete(w.known, at)
	return had
}

// watched is the names that there are of those the watcher is for.
func (w *Watcher) watched() (services []name.Service) {
	if !w.only.IsZero() {
		return []name.Service{w.only}
	}
	for _, c := range w.services.List(w.prefix) {
		services = append(services, c.Service)
	}
	return services
}

// catchUp makes the difference between what the reader knows and what is there.
func (w *Watcher) catchUp() {
	w.backlog = nil
	there := map[place]bool{}
	for _, service := range w.watched() {
		for _, e := range w.services.Lookup(service) {
			there[place{e.Service, e.Ref}] = true
			w.backlog = append(w.backlog, registry.Event{Type: registry.Registered, Entry: e})
		}
	}
	for at, e := range w.known {
		if !there[at] {
			w.backlog = append(w.backlog, registry.Event{Type: registry.EntryDown, Entry: e, Reason: "gone while events were lost"})
		}
	}
}

// Close ends the watcher. Idempotent.
func (w *Watcher) Close() {
	w.services.mu.Lock()
	defer w.services.mu.Unlock()
	w.services.drop(w)
}

// drop closes a watcher. The caller holds mu.
func (s *Services) drop(w *Watcher) {
	delete(s.watchers, w)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed, w.queue = true, nil
	w.signal()
}
