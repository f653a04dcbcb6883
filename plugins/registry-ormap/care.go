package registryormap

import (
	"fmt"
	"strings"

	"github.com/barrelp2p/barrel/core/machine/ownerlog"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// care looks at what changes slowly: the own key, and what is to be reported.
func (o *ormap) care() {
	o.mu.Lock()
	defer o.mu.Unlock()
	// After an earlier process others have what that one said, also if nothing is left.
	resumes := o.env.Launch > 0 && !o.resumed
	if key := o.env.Signer.Public(); key != o.signer || resumes {
		o.signer, o.resumed = key, true
		o.machine.Resign(o.now(), &o.out)
		o.perform()
	}
	h := o.assess()
	if old := o.health.Swap(&h); *old != h && h.State != plugin.Healthy {
		o.env.Log.Warn("registry is incomplete", "detail", h.Detail)
	}
}

// assess says what people should know.
func (o *ormap) assess() plugin.Health {
	stats, store := o.machine.Stats(), o.machine.Store()
	var facts []string
	if over := store.Oversize(); len(over) > 0 {
		facts = append(facts, fmt.Sprintf("%d nodes have more than max_entries or max_bytes allow here, as %s: set both alike on all nodes", len(over), over[0]))
	}
	if stats.Log.LeftOut > 0 {
		facts = append(facts, fmt.Sprintf("no room for one more node %d times, as more than %d nodes were alive, and what some offer may not be shown here until they or this node restart: make several clusters", stats.Log.LeftOut, ownerlog.Defaults().MaxOwners))
	}
	if stats.Log.Clones > 0 {
		facts = append(facts, "a later life of this very node has been seen: stop the copy of its data directory that runs elsewhere")
	}
	if len(facts) > 0 {
		return plugin.Health{State: plugin.Degraded, Detail: strings.Join(facts, "; ")}
	}
	detail := ""
	if stats.Log.Forged+stats.Malformed+o.refused > 0 {
		detail = fmt.Sprintf("refused: %d forged and %d malformed messages, %d registrations", stats.Log.Forged, stats.Malformed, o.refused)
	}
	return plugin.Health{State: plugin.Healthy, Detail: detail}
}
