package core

import (
	"context"
	"fmt"
	"sync"

	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// trustSlot holds the trust plugin so that it can be exchanged while the node runs;
// the next handshake is decided by the new one.
type trustSlot struct {
	turn sync.Mutex // held by who starts, stops or exchanges; decisions do not wait for that

	mu      sync.RWMutex
	mode    string
	current trust.Plugin
	running bool // guarded by turn
}

// Decide asks the plugin of the moment.
func (s *trustSlot) Decide(ctx context.Context, claim trust.Claim) error {
	return s.now().Decide(ctx, claim)
}

// now is the plugin of the moment.
func (s *trustSlot) now() trust.Plugin {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.current
}

// Vet asks the plugin of the moment about hearsay; one that has no word on it does not
// stand in the way.
func (s *trustSlot) Vet(claim trust.Claim) error {
	s.mu.RLock()
	current := s.current
	s.mu.RUnlock()
	if v, ok := current.(trust.Vetter); ok {
		return v.Vet(claim)
	}
	return nil
}

// Start starts the plugin.
func (s *trustSlot) Start(ctx context.Context) error {
	s.turn.Lock()
	defer s.turn.Unlock()
	if err := s.now().Start(ctx); err != nil {
		return err
	}
	s.running = true
	return nil
}

// Stop stops the plugin.
func (s *trustSlot) Stop(ctx context.Context) error {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.running = false
	return s.now().Stop(ctx)
}

// Health is the plugin's own, if it tells.
func (s *trustSlot) Health() plugin.Health {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if r, ok := s.current.(plugin.HealthReporter); ok {
		return r.Health()
	}
	return plugin.Health{State: plugin.Healthy}
}

// Mode is the name of the plugin.
func (s *trustSlot) Mode() string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.mode
}

// exchange puts another plugin in. If it does not start, the old one stays.
func (s *trustSlot) exchange(ctx context.Context, mode string, next trust.Plugin) error {
	s.turn.Lock()
	defer s.turn.Unlock()
	if s.running {
		if err := next.Start(ctx); err != nil {
			return fmt.Errorf("trust/%s: %w; trust/%s stays", mode, err, s.Mode())
		}
	}
	s.mu.Lock()
	old := s.current
	s.mode, s.current = mode, next
	s.mu.Unlock()
	return old.Stop(ctx)
}
