package kernel

import (
	"fmt"
	"time"

	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// Event is a change of a part's state.
type Event struct {
	Time     time.Time
	Part     string
	State    plugin.State
	Reason   string // why, when it is not the ordinary course: the panic, the error
	Restarts int    // of the part until now; it grows by one with each restart
}

// PartHealth is how a part is.
type PartHealth struct {
	Name string
	plugin.Health
	Restarts int
}

// Health tells how each part is, in start order: the kernel's own knowledge while a
// part starts, stops or does not run, and the part's own word while it does.
func (k *Kernel) Health() []PartHealth {
	all := []PartHealth{}
	for _, p := range k.list() {
		all = append(all, k.health(p))
	}
	return all
}

// Restarts is how often the part of that name was restarted.
func (k *Kernel) Restarts(name string) int {
	p := k.find(name)
	if p == nil {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.restarts
}

func (k *Kernel) health(p *part) PartHealth {
	p.mu.Lock()
	h := PartHealth{Name: p.unit.Name, Health: plugin.Health{State: p.state, Detail: p.detail}, Restarts: p.restarts}
	p.mu.Unlock()
	if reporter, ok := p.unit.Part.(plugin.HealthReporter); ok && h.State == plugin.Healthy {
		h.Health = ask(reporter, h.Health)
	}
	return h
}

// ask lets the part speak. One that panics over the question is degraded; one that has
// nothing to say is as the kernel knows it.
func ask(reporter plugin.HealthReporter, known plugin.Health) (said plugin.Health) {
	defer func() {
		if value := recover(); value != nil {
			said = plugin.Health{State: plugin.Degraded, Detail: fmt.Sprintf("health: panicked: %v", value)}
		}
	}()
	said = reporter.Health()
	if said.State == "" {
		said.State = known.State
	}
	if said.Detail == "" {
		said.Detail = known.Detail
	}
	return said
}

// enter moves a part to a state and tells the bus, or reports that the move does not
// happen: see fits.
func (k *Kernel) enter(p *part, state plugin.State, reason string) (moved bool) {
	k.events.PublishFrom(func() (Event, bool) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if moved = p.fits(state); !moved {
			return Event{}, false
		}
		return p.move(state, reason), true
	})
	return moved
}

// fits: stopping ends in stopped and nothing else, failed parts are only stopped, and
// while a restart is under way settle says when the part is well, nobody else.
func (p *part) fits(next plugin.State) bool {
	switch p.state {
	case plugin.Stopped:
		return false
	case plugin.Stopping:
		return next == plugin.Stopped
	case plugin.Failed:
		return next == plugin.Stopping
	}
	return p.restart == nil || next != plugin.Healthy
}

// settle ends a restart: the part is well, unless it panicked again meanwhile.
func (k *Kernel) settle(p *part) bool {
	settled := false
	k.events.PublishFrom(func() (Event, bool) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.again || p.state != plugin.Starting {
			return Event{}, false
		}
		settled, p.restart = true, nil
		return p.move(plugin.Healthy, fmt.Sprintf("restarts: %d, the last because: %v", p.restarts, p.last)), true
	})
	return settled
}

func (p *part) move(state plugin.State, reason string) Event {
	p.state, p.detail = state, reason
	return Event{Time: time.Now(), Part: p.unit.Name, State: state, Reason: reason, Restarts: p.restarts}
}

// done reports whether there is nothing to stop.
func (p *part) done() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state == plugin.New || p.state == plugin.Stopped
}

// begun reports whether Start was ever called.
func (p *part) begun() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state != plugin.New
}
