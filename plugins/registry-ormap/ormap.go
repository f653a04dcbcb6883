// Package registryormap is the registry "ormap": services of all nodes, known on all
// nodes. Any node registers any name, registrations of one name by several nodes stand
// side by side, a removal removes what it has seen, and all replicas come to the same
// picture without a server, a lock or a tombstone.
//
//	registry:
//	  use: ormap
//
// The protocol is core/machine/replica: a log for each node, signed by it, broadcast
// as it grows and compared with neighbours now and then. This package is its host: it
// says what an entry is, keeps an index of what is visible for readers, and runs the
// machine in one goroutine.
//
//	Put, Remove ─ mu ─┐                        ┌─► index ──► Lookup, List: no lock
//	                  ├─► machine ─► effects ──┼─► Emit
//	Input ─► inbox ───┘                        └─► Broadcast, Send
package registryormap

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/core/machine/ownerlog"
	"github.com/barrelp2p/barrel/core/machine/replica"
	"github.com/barrelp2p/barrel/interfaces/inbox"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/registry/index"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// Factory is how a catalog lists this plugin.
func Factory() registry.Factory {
	return plugin.Define("ormap", "services of all nodes, replicated to all nodes", defaults, build)
}

var (
	_ registry.Plugin       = (*ormap)(nil)
	_ registry.Finder       = (*ormap)(nil)
	_ plugin.HealthReporter = (*ormap)(nil)
)

// ormap is the plugin. mu is held while the machine thinks and while what follows is
// done, so that events come in the order of the changes. Readers do not take it.
type ormap struct {
	env      registry.Env
	settings Settings
	epoch    time.Time
	shown    *index.Index
	box      *inbox.Box[membership.Event]
	rearm    chan struct{} // holds a token when the timer has to be set anew
	health   atomic.Pointer[plugin.Health]

	mu      sync.Mutex
	running bool
	machine *replica.Machine
	out     replica.Effects
	next    overlay.Time // for when the timer is set
	signer  trust.Key    // whose signature is under the own log
	metas   *metas
	seekers map[name.Service]*seeker
	resumed bool   // what an earlier process said is replaced
	refused uint64 // entries of others that are none, or not allowed
}

func build(env registry.Env, s *Settings) (registry.Plugin, error) {
	o := &ormap{
		env: env, settings: *s, epoch: time.Now(), shown: index.New(env.Node), box: inbox.New[membership.Event](),
		rearm: make(chan struct{}, 1), next: overlay.Never, metas: newMetas(), seekers: map[name.Service]*seeker{},
	}
	o.health.Store(&plugin.Health{State: plugin.Healthy})
	o.machine = newMachine(o.config())
	return o, nil
}

func newMachine(cfg replica.Config) *replica.Machine {
	return replica.New(cfg, 0, rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())))
}

func (o *ormap) config() replica.Config {
	env, s, cfg := o.env, &o.settings, replica.Defaults()
	cfg.Log.Self, cfg.Log.Inc, cfg.Log.Sign, cfg.Log.Verify = env.Node, env.Incarnation, o.sign, o.verify
	cfg.Log.First = env.Launch << launchShift
	cfg.Log.MaxItems, cfg.Log.MaxBytes, cfg.Log.Quarantine = s.MaxEntries, s.MaxBytes, s.Quarantine
	cfg.Compare.Period, cfg.Holders, cfg.Known = s.AntiEntropy, o.holders, o.knows
	return cfg
}

// launchShift leaves each process of this plugin, within one life of the node, numbers
// for so many batches that no earlier one has used a larger one.
const launchShift = 32

func (o *ormap) now() overlay.Time { return time.Since(o.epoch) }

func (o *ormap) sign(message []byte) ownerlog.Signature { return o.env.Signer.Sign(message) }

// verify asks for the key each time: it may have become known, or have changed.
func (o *ormap) verify(owner name.Node, message []byte, sig *ownerlog.Signature) ownerlog.Verdict {
	key, known := o.env.Network.Key(owner)
	switch {
	case !known:
		return ownerlog.Unknown
	case key.IsZero(), trust.Verify(key, trust.ForRegistry, message, *sig):
		return ownerlog.Good
	}
	return ownerlog.Bad
}

// knows reports whether the key of an owner is known.
func (o *ormap) knows(owner string) bool {
	node, err := name.ParseNode(owner)
	if err != nil {
		return false
	}
	_, known := o.env.Network.Key(node)
	return known
}

// Start takes up with the neighbours that there are and begins to think.
func (o *ormap) Start(context.Context) error {
	o.box.Open()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.running, o.signer = true, o.env.Signer.Public()
	for _, node := range o.env.Network.Neighbours() {
		o.step(replica.Input{Kind: replica.PeerUp, Node: node})
	}
	if !o.env.Tasks.Go("replica", o.run) {
		return fmt.Errorf("registry ormap: start: what ran before has not ended: %w", plugin.ErrGone)
	}
	return nil
}

// Stop refuses writes from now on, sends what is to be sent and waits. Reads go on.
func (o *ormap) Stop(ctx context.Context) error {
	o.mu.Lock()
	o.running = false
	for _, s := range o.seekers {
		s.end()
	}
	clear(o.seekers)
	o.mu.Unlock()
	o.box.Close()
	return o.env.Tasks.Stop(ctx)
}

// Lookup is one hash, one atomic load and one comparison.
func (o *ormap) Lookup(service name.Service) []registry.Entry { return o.shown.Lookup(service) }

// List walks all services.
func (o *ormap) List(prefix string) []registry.Count { return o.shown.List(prefix) }

// Health says whose registrations are incomplete here, and why.
func (o *ormap) Health() plugin.Health { return *o.health.Load() }
