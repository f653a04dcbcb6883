package resolve

import (
	"fmt"
	"strings"
	"time"

	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// BackendHealth is how one backend does.
type BackendHealth struct {
	Backend string
	Health  plugin.Health // what it says of itself, made worse by what is known here
	Error   string        // its last failure; "" if there was none
	Age     time.Duration // of that failure
	Hanging int           // calls that have not returned in time and still have not
}

// Backends is how each backend does, in the order of the chain.
func (r *Resolver) Backends() []BackendHealth {
	all := make([]BackendHealth, len(r.backends))
	for i, b := range r.backends {
		all[i] = b.health(time.Now())
	}
	return all
}

// Health is that of the chain: degraded if any backend is.
func (r *Resolver) Health() plugin.Health {
	health := plugin.Health{State: plugin.Healthy}
	var details []string
	for _, b := range r.Backends() {
		if b.Health.State != plugin.Healthy {
			health.State = plugin.Degraded
		}
		if b.Health.Detail != "" {
			details = append(details, b.Backend+": "+b.Health.Detail)
		}
	}
	health.Detail = strings.Join(details, "; ")
	return health
}

func (b *backend) health(now time.Time) BackendHealth {
	own := plugin.Health{State: plugin.Healthy}
	if reporter, ok := b.plugin.(plugin.HealthReporter); ok {
		own = reporter.Health()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	h := BackendHealth{Backend: b.name, Health: own, Hanging: b.hanging}
	if b.lastFailure != nil {
		h.Error, h.Age = b.lastFailure.Error(), now.Sub(b.failedAt)
	}
	switch {
	case own.State != plugin.Healthy:
	case b.unpublished != nil:
		h.Health = plugin.Health{State: plugin.Degraded, Detail: "not published: " + b.unpublished.Error()}
	case b.failedAt.After(b.answeredAt):
		h.Health = plugin.Health{State: plugin.Degraded, Detail: h.Error}
	case b.hanging > 0:
		h.Health = plugin.Health{State: plugin.Degraded, Detail: fmt.Sprintf("%d calls have not returned", b.hanging)}
	}
	return h
}
