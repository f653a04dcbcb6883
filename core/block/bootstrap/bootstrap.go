// Package bootstrap brings a node that is alone into the cluster: at start, and again
// whenever it has no neighbour, it joins through the contact nodes of the
// configuration until one of them takes it in. About once a minute it also tries a
// contact that the cluster does not have, so that two parts of a cluster that have
// forgotten each other meet again.
//
// It is not membership: it knows no members and keeps no view. It only notices who is
// missing and knocks, and it never knocks after the node has left, until it
// was told to join again.
//
//	b := bootstrap.New(bootstrap.Config{Contacts: contacts, Retry: 5 * time.Second, ...})
//	b.Start(ctx)
//	b.Contacts() // what the last attempt with each contact came to
package bootstrap

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
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
	// Stranger says that a contact is no living member of the cluster as this node
	// sees it, although the node has not left.
	Stranger func(name.Node) bool
	// Found names nodes that might do in the place of a contact, for a node that had
	// neighbours and lost them all: what discovery lists. nil for none.
	Found func(ctx context.Context) []name.Node
	Join  func(ctx context.Context, through name.Node) error
	Tasks *plugin.Tasks
	Log   *slog.Logger
}

// Contact is what came of the last attempt to join through a contact node.
type Contact struct {
	Node  name.Node
	Tried time.Time // when the attempt ended; zero: none has yet
	Err   error     // nil: it took this node in
}

// Bootstrap is the block. It is a plugin.Part, safe for concurrent use.
type Bootstrap struct {
	cfg Config

	mu   sync.Mutex
	last map[name.Node]Contact
	busy map[name.Node]context.CancelFunc // attempts under way
}

// New makes the block; it does nothing before Start.
func New(cfg Config) *Bootstrap {
	b := &Bootstrap{cfg: cfg, last: map[name.Node]Contact{}, busy: map[name.Node]context.CancelFunc{}}
	for _, node := range cfg.Contacts {
		if node != cfg.Self {
			b.last[node] = Contact{Node: node}
		}
	}
	return b
}

// Start begins to knock. Without contacts, and without others to try, there is nothing
// to do.
func (b *Bootstrap) Start(context.Context) error {
	if (len(b.Contacts()) > 0 || b.cfg.Found != nil) && !b.cfg.Tasks.Go("bootstrap", b.run) {
		return errors.New("bootstrap: start: what ran before has not ended")
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

const (
	leastRetry = 100 * time.Millisecond
	// stagger is the head start of one contact over the next: a contact that answers
	// spares the others the work.
	stagger = 250 * time.Millisecond
	// knockTime, after Retry, is for how long one contact may take. A contact that
	// hangs does not keep the others from being tried again.
	knockTime = 10 * time.Second
)

func (b *Bootstrap) run(ctx context.Context) {
	retry := max(b.cfg.Retry, leastRetry)
	for n := 1; ctx.Err() == nil; n++ {
		b.round(ctx)
		if n%probeRounds == 0 {
			b.probe(ctx)
		}
		pause(ctx, retry+rand.N(retry/4))
	}
}

// probeRounds is after how many rounds a node that is not alone knocks at a stranger.
const probeRounds = 12

// probe knocks at one contact that the cluster does not have. Two parts of a cluster
// that have forgotten each other, each with neighbours, become one again by that.
func (b *Bootstrap) probe(ctx context.Context) {
	strangers := slices.DeleteFunc(b.Contacts(), func(c Contact) bool { return !b.cfg.Stranger(c.Node) })
	if len(strangers) > 0 && !b.cfg.Alone() {
		b.start(ctx, strangers[rand.IntN(len(strangers))].Node)
	}
}

// round knocks at the contacts in random order, and then at some of those that were
// found, while the node is alone.
func (b *Bootstrap) round(ctx context.Context) {
	if !b.cfg.Alone() {
		return
	}
	var doors []name.Node
	for _, c := range b.Contacts() {
		doors = append(doors, c.Node)
	}
	shuffle(doors)
	for _, node := range append(doors, b.found(ctx, doors)...) {
		if ctx.Err() != nil || !b.cfg.Alone() {
			return
		}
		if b.start(ctx, node) {
			pause(ctx, stagger)
		}
	}
}

// maxFound is how many of those that were found are tried in one round.
const maxFound = 8

// found are some nodes that are no contacts and might do.
func (b *Bootstrap) found(ctx context.Context, contacts []name.Node) []name.Node {
	if b.cfg.Found == nil {
		return nil
	}
	others := slices.DeleteFunc(b.cfg.Found(ctx), func(node name.Node) bool {
		return node == b.cfg.Self || slices.Contains(contacts, node)
	})
	shuffle(others)
	return others[:min(len(others), maxFound)]
}

func shuffle(nodes []name.Node) {
	rand.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// start begins an attempt with a contact, unless one is under way.
func (b *Bootstrap) start(ctx context.Context, node name.Node) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.busy[node] != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Retry+knockTime)
	b.busy[node] = cancel
	if !b.cfg.Tasks.Go("knock", func(context.Context) { b.knock(ctx, node) }) {
		cancel()
		delete(b.busy, node)
	}
	return true
}

func (b *Bootstrap) knock(ctx context.Context, node name.Node) {
	err := errors.New("the attempt broke off") // if it panics
	defer func() { b.note(ctx, node, err) }()
	err = b.cfg.Join(ctx, node)
}

// note records the end of an attempt. The first that succeeds ends the others, whose
// errors would say nothing about their contacts.
func (b *Bootstrap) note(ctx context.Context, node name.Node, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	spared := err != nil && errors.Is(ctx.Err(), context.Canceled)
	b.busy[node]() // frees the context
	delete(b.busy, node)
	if spared {
		return
	}
	before, contact := b.last[node]
	if !contact {
		before.Node = node // found, and not kept on the list
	} else {
		b.last[node] = Contact{Node: node, Tried: time.Now(), Err: err}
	}
	if err != nil {
		b.complain(before, err)
		return
	}
	b.cfg.Log.Info("joined through contact node", "contact", node)
	for _, cancel := range b.busy {
		cancel()
	}
}

// complain logs a failure once, and again when it is another one.
func (b *Bootstrap) complain(before Contact, err error) {
	level := slog.LevelDebug
	if before.Tried.IsZero() || before.Err == nil || before.Err.Error() != err.Error() {
		level = slog.LevelInfo
	}
	b.cfg.Log.Log(context.Background(), level, "contact node did not take us in", "contact", before.Node, "error", err)
}
