package service

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// Holder is what a registration is bound to, a process as a rule. A holder that also has
// a method Reason() error is asked why it ended; nil is a normal end.
type Holder interface {
	Ref() name.Ref
	Done() <-chan struct{}
}

// Registration is a service that this node offers. All methods are safe for concurrent
// use.
type Registration struct {
	services *Services
	service  name.Service
	holder   Holder
	ended    chan struct{}

	mu   sync.Mutex // held while the registry is written
	over bool
}

// closeTime bounds the taking back of a registration.
const closeTime = 5 * time.Second

// Register registers a holder of this node under a name: what it stands for can be reached
// under the name before anybody sees it. ctx bounds the registering only; see Until.
// Registering it again under the same name updates the metadata and returns the same
// registration, or another, if that one is being taken back.
func (s *Services) Register(ctx context.Context, service name.Service, meta map[string]string, holder Holder) (*Registration, error) {
	for {
		r := s.hold(service, holder)
		if r == nil {
			return nil, fmt.Errorf("register %s: node is stopping: %w", service, ErrEnded)
		}
		switch err := r.begin(ctx, meta); {
		case err == nil:
			return r, nil
		case !errors.Is(err, errOver):
			return nil, errors.Join(fmt.Errorf("register %s: %w", service, err), r.giveUp())
		}
	}
}

// hold is the registration of a holder under a name; a new one is watched from now on.
// Nil: nothing can be watched any more.
func (s *Services) hold(service name.Service, holder Holder) *Registration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.held[service][holder.Ref()]; r != nil {
		return r
	}
	r := &Registration{services: s, service: service, holder: holder, ended: make(chan struct{})}
	if !s.cfg.Tasks.Go("registration", r.watch) {
		return nil
	}
	if s.held[service] == nil {
		s.held[service] = map[name.Ref]*Registration{}
	}
	s.held[service][holder.Ref()] = r
	return r
}

// errOver: what has been taken back is held no more, and another can take its place.
var errOver = fmt.Errorf("taken back: %w", ErrEnded)

// begin binds the name, then shows it.
func (r *Registration) begin(ctx context.Context, meta map[string]string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.lives(); err != nil {
		return err
	}
	if err := r.services.cfg.Bind(r.service, r.holder.Ref()); err != nil {
		return err
	}
	return r.put(ctx, meta)
}

// watch takes the registration back when its holder has ended.
func (r *Registration) watch(ctx context.Context) {
	select {
	case <-r.holder.Done():
		if err := r.end(whyEnded(r.holder)); err != nil {
			r.services.cfg.Log.Warn("service not taken back", "service", r.service, "error", err)
		}
	case <-r.ended:
	case <-ctx.Done():
	}
}

// whyEnded is what others hear of the end of a holder.
func whyEnded(h Holder) string {
	if r, tells := h.(interface{ Reason() error }); tells {
		if err := r.Reason(); err != nil {
			return "process ended: " + err.Error()
		}
	}
	return "process ended"
}

// Service is the name.
func (r *Registration) Service() name.Service { return r.service }

// Ref is the reference that others find under the name.
func (r *Registration) Ref() name.Ref { return r.holder.Ref() }

// Done is closed when the registration has been taken back.
func (r *Registration) Done() <-chan struct{} { return r.ended }

// Entry is what is registered now; false if nothing is.
func (r *Registration) Entry() (registry.Entry, bool) {
	for _, e := range r.services.cfg.Registry.Lookup(r.service) {
		if e.Ref == r.holder.Ref() {
			return e, true
		}
	}
	return registry.Entry{}, false
}

// ErrEnded: the registration has been taken back, or what it was bound to has ended.
var ErrEnded = errors.New("registration has ended")

// Update replaces the metadata. All nodes hear of it; nothing else changes.
func (r *Registration) Update(ctx context.Context, meta map[string]string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.lives(); err != nil {
		return err
	}
	return r.put(ctx, meta)
}

// lives says why nothing can be put any more. The caller holds mu.
func (r *Registration) lives() error {
	select {
	case <-r.holder.Done():
		return fmt.Errorf("service %s: %s: %w", r.service, whyEnded(r.holder), ErrEnded)
	default:
	}
	if r.over {
		return fmt.Errorf("service %s: %w", r.service, errOver)
	}
	return nil
}

func (r *Registration) put(ctx context.Context, meta map[string]string) error {
	return r.services.cfg.Registry.Put(ctx, registry.Entry{Service: r.service, Ref: r.holder.Ref(), Meta: maps.Clone(meta)})
}

// Until takes the registration back when ctx ends, at the latest. It returns the
// registration.
func (r *Registration) Until(ctx context.Context) *Registration {
	r.services.cfg.Tasks.Go("registration until", func(stop context.Context) {
		select {
		case <-ctx.Done():
			if err := r.Close(); err != nil {
				r.services.cfg.Log.Warn("service not taken back", "service", r.service, "error", err)
			}
		case <-r.ended:
		case <-stop.Done():
		}
	})
	return r
}

// Close takes the registration back; what it was bound to goes on. Idempotent; after the
// node has stopped there is nothing to do.
func (r *Registration) Close() error { return r.end("") }

// end takes the registration back; only then it is held no more, and Done is closed, so
// that what comes after it finds nothing of it.
func (r *Registration) end(reason string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return nil
	}
	r.over = true
	defer close(r.ended)
	defer r.services.release(r)
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	r.services.cfg.Unbind(r.service, r.holder.Ref())
	err := r.services.cfg.Registry.Remove(ctx, r.service, r.holder.Ref(), reason)
	if errors.Is(err, registry.ErrNotFound) || errors.Is(err, plugin.ErrGone) {
		return nil // it was never put, or the node has stopped
	}
	return err
}

// giveUp forgets a registration that did not come about, unless it stood before.
func (r *Registration) giveUp() error {
	if _, stands := r.Entry(); stands {
		return nil
	}
	return r.Close()
}

func (s *Services) release(r *Registration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held[r.service], r.holder.Ref())
	if len(s.held[r.service]) == 0 {
		delete(s.held, r.service)
	}
}

// Unregister takes back all registrations of a name on this node, and returns how many
// there were.
func (s *Services) Unregister(service name.Service) (n int, err error) {
	s.mu.Lock()
	held := maps.Clone(s.held[service])
	s.mu.Unlock()
	for _, r := range held {
		err = errors.Join(err, r.Close())
	}
	return len(held), err
}
