package registryormap

import (
	"context"
	"fmt"
	"time"

	"github.com/barrelp2p/barrel/core/machine/replica"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// seeker is a search that callers wait for, or its outcome for a little while.
type seeker struct {
	done  chan struct{} // closed when it is over
	over  time.Time     // when that was; zero: it is not
	ended bool
}

func (s *seeker) end() {
	if !s.ended {
		s.ended, s.over = true, time.Now()
		close(s.done)
	}
}

const (
	seekersMost = 256                    // under way, or over a moment ago
	missFor     = 500 * time.Millisecond // for how long a miss is believed
)

// Find asks the neighbours for a service that is not visible here.
func (o *ormap) Find(ctx context.Context, service name.Service) error {
	s, err := o.seek(service)
	if s == nil || err != nil {
		return err
	}
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("service %s: not found yet: %w", service, ctx.Err())
	}
}

// seek begins a search or joins one; nil: there is nothing to wait for.
func (o *ormap) seek(service name.Service) (*seeker, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.running {
		return nil, fmt.Errorf("service %s: registry does not run: %w", service, plugin.ErrGone)
	}
	if len(o.shown.Lookup(service)) > 0 {
		return nil, nil
	}
	if s := o.seekers[service]; s != nil && !s.stale(missFor) {
		return s, nil
	}
	if o.forgetMisses(missFor); len(o.seekers) >= seekersMost {
		o.forgetMisses(0)
	}
	if len(o.seekers) >= seekersMost {
		return nil, fmt.Errorf("service %s: %d searches are under way, the most there may be: %w", service, len(o.seekers), registry.ErrBusy)
	}
	s := &seeker{done: make(chan struct{})}
	o.seekers[service] = s
	o.step(replica.Input{Kind: replica.Find, Text: service.String()})
	return s, nil
}

// stale: it has been over for longer than that.
func (s *seeker) stale(after time.Duration) bool { return s.ended && time.Since(s.over) >= after }

func (o *ormap) forgetMisses(after time.Duration) {
	for service, s := range o.seekers {
		if s.stale(after) {
			delete(o.seekers, service)
		}
	}
}

// found ends a search. The caller holds mu.
func (o *ormap) found(subject string) {
	if service, err := name.ParseService(subject); err == nil {
		if s := o.seekers[service]; s != nil {
			s.end()
		}
	}
}
