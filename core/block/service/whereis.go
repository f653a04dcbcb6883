package service

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// Option says how Whereis chooses and how long it tries.
type Option func(*question)

type question struct {
	retries int
	pick    Picker
	without []name.Ref
}

// Retries looks again, n times, when there is none: after 100 ms, then twice as long each
// time, 2 s at most, and a little more so that not all ask at once. A registration that
// arrives meanwhile ends the wait.
func Retries(n int) Option { return func(q *question) { q.retries = n } }

// By has a picker choose among the instances.
func By(p Picker) Option { return func(q *question) { q.pick = p } }

// Without passes over instances that have turned out to have ended, before that is heard.
func Without(refs ...name.Ref) Option {
	return func(q *question) { q.without = append(q.without, refs...) }
}

const (
	firstWait = 100 * time.Millisecond
	longWait  = 2 * time.Second
	askAround = 2 * time.Second // for what the neighbours say on a miss
)

// Whereis is one instance of a service: of this node if it has one, else the nearest, by
// the round-trip time of links, else the first. A miss is not taken for an answer before
// the neighbours have been asked, which takes a moment. The error is that of ctx, or wraps
// registry.ErrNotFound, or registry.ErrBusy: so many are looked for that nobody was asked. For a name that is known here it is a read of memory.
func (s *Services) Whereis(ctx context.Context, service name.Service, options ...Option) (registry.Entry, error) {
	if list := s.cfg.Registry.Lookup(service); len(list) > 0 && len(options) == 0 {
		return *s.nearest(list), nil
	}
	var q question
	for _, o := range options {
		o(&q)
	}
	if e, ok := s.choose(service, &q); ok {
		return e, nil
	}
	return s.seek(ctx, service, &q)
}

func (s *Services) seek(ctx context.Context, service name.Service, q *question) (registry.Entry, error) {
	came, over := s.await(service)
	defer over()
	for wait := firstWait; ; wait = min(2*wait, longWait) {
		next := came() // before the look, so that nothing slips between
		if e, ok := s.choose(service, q); ok {
			return e, nil
		}
		unasked := s.askAround(ctx, service)
		if e, ok := s.choose(service, q); ok {
			return e, nil
		}
		if err := ctx.Err(); err != nil {
			return registry.Entry{}, fmt.Errorf("service %s: nobody offers it yet: %w", service, err)
		}
		if q.retries <= 0 && unasked != nil {
			return registry.Entry{}, fmt.Errorf("service %s: nobody known here offers it: %w", service, unasked)
		}
		if q.retries <= 0 {
			return registry.Entry{}, fmt.Errorf("service %s: nobody offers it: %w", service, registry.ErrNotFound)
		}
		q.retries--
		pause(ctx, wait+rand.N(wait/2), next)
	}
}

func (s *Services) choose(service name.Service, q *question) (registry.Entry, bool) {
	list := s.cfg.Registry.Lookup(service)
	if len(q.without) > 0 {
		list = slices.DeleteFunc(slices.Clone(list), func(e registry.Entry) bool { return slices.Contains(q.without, e.Ref) })
	}
	switch {
	case len(list) == 0:
		return registry.Entry{}, false
	case q.pick == nil:
		return *s.nearest(list), true
	}
	return list[min(max(q.pick(list), 0), len(list)-1)], true
}

// askAround has the registry look further than its memory. What it cannot find, or in
// time, is not there; the error is that it could ask nobody for now.
func (s *Services) askAround(ctx context.Context, service name.Service) error {
	if s.finder == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askAround)
	defer cancel()
	switch err := s.finder.Find(ctx, service); {
	case errors.Is(err, registry.ErrBusy):
		return err
	case err != nil && ctx.Err() == nil:
		s.cfg.Log.Debug("neighbours not asked", "service", service, "error", err)
	}
	return nil
}

func pause(ctx context.Context, d time.Duration, until <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-until:
	}
}

// waiter wakes those who wait for an instance of a service.
type waiter struct {
	came chan struct{} // closed, and replaced, when one is registered
	many int
}

// await says what is closed when the next instance of a service is registered; asked
// again it waits for the one after. over ends the waiting.
func (s *Services) await(service name.Service) (came func() <-chan struct{}, over func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.waiting[service]
	if w == nil {
		w = &waiter{came: make(chan struct{})}
		s.waiting[service] = w
	}
	w.many++
	came = func() <-chan struct{} {
		s.mu.Lock()
		defer s.mu.Unlock()
		return w.came
	}
	return came, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if w.many--; w.many == 0 {
			delete(s.waiting, service)
		}
	}
}

// arrived wakes those who wait. The caller holds mu.
func (s *Services) arrived(service name.Service) {
	if w := s.waiting[service]; w != nil {
		close(w.came)
		w.came = make(chan struct{})
	}
}

// distances is who is near, as of one moment.
type distances struct{ rtt map[name.Node]time.Duration }

// measure takes new distances, unless nothing has changed that matters.
func (s *Services) measure() {
	next := s.cfg.Distances()
	old := s.far.Load().rtt
	same := len(old) == len(next)
	for node, rtt := range next {
		before, had := old[node]
		same = same && had && rtt < before+before/4+100*time.Microsecond && before < rtt+rtt/4+100*time.Microsecond
	}
	if !same {
		s.far.Store(&distances{next})
	}
}

// choice remembers which entry of an answer of the registry is nearest. Answers do not
// change, so the place of the first entry in memory tells one from another.
type choice struct {
	first *registry.Entry
	count int
	by    *distances
	best  *registry.Entry
}

const choiceSlots = 1024

// slotOf sorts names by their ends, which is where names differ.
func slotOf(service string) (h uint32) {
	for i := max(len(service)-8, 0); i < len(service); i++ {
		h = h*31 + uint32(service[i])
	}
	return (h ^ h>>10) % choiceSlots
}

// nearest is the entry of this node, else the one of the nearest linked node, else the
// first.
func (s *Services) nearest(list []registry.Entry) *registry.Entry {
	if len(list) == 1 || list[0].Ref.Node == s.cfg.Node {
		return &list[0]
	}
	slot := &s.choices[slotOf(list[0].Service.String())]
	far := s.far.Load()
	if c := slot.Load(); c != nil && c.first == &list[0] && c.count == len(list) && c.by == far {
		return c.best
	}
	c := &choice{first: &list[0], count: len(list), by: far, best: &list[0]}
	nearest := time.Duration(1<<63 - 1)
	for i := range list {
		if rtt, linked := far.rtt[list[i].Ref.Node]; linked && rtt < nearest {
			c.best, nearest = &list[i], rtt
		}
	}
	slot.Store(c)
	return c.best
}
