// Package bootstrap brings a node that is alone into the cluster: at start, and again
// whenever it has no neighbour, it joins through the contact nodes of the
// configuration until one of them takes it in.
//
// It is not membership: it knows no members and keeps no view. It only notices that
// the node is alone and knocks, and it never knocks after the node has left, until it
// was told to join again.
//
//	b := bootstrap.New(bootstrap.Config{Contacts: contacts, Retry: 5 * time.Second, ...})
//	b.Start(ctx)
//	b.Contacts() // what the last attempt with each contact came to
package bootstrap

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// Config is what the block works with; all fields are required.
type Config struct {
	Self     name.Node
	Contacts []name.Node   // one list may go to every node: the own name is skipped
	Retry    time.Duration // between rounds, plus up to a quarter
	Alone    func() bool   // no neighbour, and not because the node has left
	Join     func(ctx context.Context, through name.Node) error
	Tasks    *plugin.Tasks
	Log      *slog.Logger
}

// Contact is what came of the last attempt to join through a contact node.
type Contact struct {
	Node  name.Node
	Tried time.Time // zero: not yet
	Err   error     // nil: it took this node in
}

// Bootstrap is the block. It is a plugin.Part, safe for concurrent use.
type Bootstrap struct {
	cfg Config

	mu   sync.Mutex
	last map[name.Node]Contact
}

// New makes the block; it does nothing before Start.
func New(cfg Config) *Bootstrap {
	b := &Bootstrap{cfg: cfg, last: map[name.Node]Contact{}}
	for _, node := range cfg.Contacts {
		if node != cfg.Self {
			b.last[node] = Contact{Node: node}
		}
	}
	return b
}

// Start begins to knock. Without contacts there is nothing to do.
func (b *Bootstrap) Start(context.Context) error {
	if len(b.Contacts()) > 0 {
		b.cfg.Tasks.Go("bootstrap", b.run)
	}
	return nil
}

// Stop ends the knocking.
func (b *Bootstrap) Stop(ctx context.Context) error { return b.cfg.Tasks.Stop(ctx) }

// Contacts lists the contact nodes in the order of the configuration.
func (b *Bootstrap) Contacts() []Contact {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]Contact, 0, len(b.last))
	seen := map[name.Node]bool{}
	for _, node := range b.cfg.Contacts {
		if c, ok := b.last[node]; ok && !seen[node] {
			out = append(out, c)
			seen[node] = true
		}
	}
	return out
}

func (b *Bootstrap) run(ctx context.Context) {
	for {
		if b.cfg.Alone() {
			b.round(ctx)
		}
		timer := time.NewTimer(b.cfg.Retry + rand.N(b.cfg.Retry/4+1))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// stagger is the head start of one contact over the next: a contact that answers
// spares the others the work.
const stagger = 250 * time.Millisecond

// round knocks at the contacts in random order until one answers.
func (b *Bootstrap) round(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Retry+10*time.Second)
	defer cancel()
	var attempts sync.WaitGroup
	defer attempts.Wait()
	contacts := b.Contacts()
	rand.Shuffle(len(contacts), func(i, j int) { contacts[i], contacts[j] = contacts[j], contacts[i] })
	for _, c := range contacts {
		attempts.Go(func() { b.knock(ctx, c.Node, cancel) })
		timer := time.NewTimer(stagger)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

func (b *Bootstrap) knock(ctx context.Context, node name.Node, answered func()) {
	err := b.cfg.Join(ctx, node)
	if err == nil {
		b.cfg.Log.Info("joined through contact node", "contact", node)
		answered()
	} else if ctx.Err() == nil {
		b.cfg.Log.Info("contact node did not take us in", "contact", node, "error", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last[node] = Contact{Node: node, Tried: time.Now(), Err: err}
}
