package core

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// Global names. A name belongs to one process of the cluster, as far as that can be had
// without a quorum: while the cluster is whole, one of several who want a name gets it,
// because the member with the smallest name, which all ask, lets nobody else have it
// for a while. Parts of a cluster that cannot reach each other each have their own
// holder; when they meet again the resolver of the holders decides which one stays.
// Who needs a name that is never held twice needs a lease with a fence.

const (
	globalPrefix = "_global/"
	claimTime    = 10 * time.Second // for which a claim keeps others away until the name is seen
	askTime      = 2 * time.Second  // for one member to answer
	syncStep     = 50 * time.Millisecond
)

// ErrTaken: the global name belongs to another process.
var ErrTaken = errors.New("global name is taken")

// Resolver chooses between two holders of a global name, the one with the smaller
// reference first, and is asked on the nodes of both: it must say the same on each. A
// zero reference keeps neither.
type Resolver func(global string, a, b name.Ref) (keep name.Ref)

// KeepLowest keeps the holder on the node with the smaller name.
func KeepLowest(_ string, a, _ name.Ref) name.Ref { return a }

// KeepRandom keeps one of them by chance, the same on both nodes.
func KeepRandom(global string, a, b name.Ref) name.Ref {
	h := fnv.New32a()
	_, _ = h.Write([]byte(global + a.String() + b.String()))
	if h.Sum32()&1 == 0 {
		return a
	}
	return b
}

// Lost comes to a process that has lost a global name to another.
type Lost struct {
	Name   string
	Winner name.Ref // zero: nobody
}

// GlobalOptions says what becomes of a conflict.
type GlobalOptions struct {
	Resolve   Resolver // nil: KeepLowest
	ExitLoser bool     // the loser ends with ErrTaken; otherwise a Lost comes to it
}

// Global is the cluster's global names as one node sees them. All methods are safe for
// concurrent use.
type Global struct{ node *Node }

// Global is the global names.
func (n *Node) Global() Global { return Global{n} }

// globals is what a life knows of global names.
type globals struct {
	mu     sync.Mutex
	claims map[string]claim // that this node has granted
	held   map[string]*holding
}

type claim struct {
	Name string
	Ref  name.Ref
	till time.Time
}

type holding struct {
	reg     *Registration
	proc    *Process
	options GlobalOptions
}

// globalRequest asks a node for a claim, or, without a name, for what it knows.
type globalRequest struct {
	Name string
	Ref  name.Ref
}

func globalService(global string) (name.Service, error) {
	service, err := name.ParseService(globalPrefix + global)
	if err != nil {
		return service, fmt.Errorf("global name %q: %w", global, err)
	}
	return service, nil
}

// Register gives a process of this node a global name, until it ends or Unregister.
// ErrTaken when another has it.
func (g Global) Register(ctx context.Context, global string, proc *Process, options GlobalOptions) error {
	l, err := g.node.current()
	if err != nil {
		return err
	}
	service, err := globalService(global)
	if err != nil {
		return err
	}
	if options.Resolve == nil {
		options.Resolve = KeepLowest
	}
	if err := l.claim(ctx, global, proc.Ref()); err != nil {
		return err
	}
	l.globals.mu.Lock()
	if h := l.globals.held[global]; h != nil && !(&joint{reg: h.reg}).over() {
		l.globals.mu.Unlock()
		return fmt.Errorf("global name %s: %w", global, ErrTaken)
	}
	l.globals.mu.Unlock()
	reg, err := g.node.Offer(ctx, service, nil, proc)
	if err != nil {
		return fmt.Errorf("global name %s: %w", global, err)
	}
	l.globals.mu.Lock()
	l.globals.held[global] = &holding{reg: reg, proc: proc, options: options}
	l.globals.mu.Unlock()
	l.settle(global)
	return nil
}

// claim asks the member with the smallest name to keep others away.
func (l *life) claim(ctx context.Context, global string, ref name.Ref) error {
	if where, found := l.whereisGlobal(global); found && where != ref {
		return fmt.Errorf("global name %s belongs to %s: %w", global, where, ErrTaken)
	}
	arbiters := l.node.Alive()
	slices.SortFunc(arbiters, name.Node.Compare)
	var last error
	for _, node := range arbiters {
		once, cancel := context.WithTimeout(ctx, askTime)
		_, err := Call[globalRequest, string](once, l.node, Target{Node: node, Service: globalControl()}, globalRequest{global, ref})
		cancel()
		if err == nil || errors.Is(err, ErrTaken) || ctx.Err() != nil {
			return err
		}
		last = err
	}
	return fmt.Errorf("global name %s: nobody to ask: %w", global, last)
}

// Unregister takes a global name from a process of this node. No such name is no error.
func (g Global) Unregister(global string) error {
	l, err := g.node.current()
	if err != nil {
		return err
	}
	l.globals.mu.Lock()
	h := l.globals.held[global]
	delete(l.globals.held, global)
	l.globals.mu.Unlock()
	if h == nil {
		return nil
	}
	return h.reg.Close()
}

// Whereis is the process that has a global name, as far as this node knows; it reads
// memory only.
func (g Global) Whereis(global string) (name.Ref, bool) {
	l, err := g.node.current()
	if err != nil {
		return name.Ref{}, false
	}
	return l.whereisGlobal(global)
}

func (l *life) whereisGlobal(global string) (name.Ref, bool) {
	service, err := globalService(global)
	if err != nil {
		return name.Ref{}, false
	}
	holders := l.holders(service)
	if len(holders) == 0 {
		return name.Ref{}, false
	}
	return holders[0], true
}

// holders are by reference, so that all nodes that see the same say the same.
func (l *life) holders(service name.Service) []name.Ref {
	var out []name.Ref
	for _, e := range l.services.Lookup(service) {
		out = append(out, e.Ref)
	}
	slices.SortFunc(out, name.Ref.Compare)
	return out
}

// Names lists the global names that this node knows.
func (g Global) Names() (names []string) {
	for _, c := range g.node.List(globalPrefix) {
		names = append(names, strings.TrimPrefix(c.Service.String(), globalPrefix))
	}
	return names
}

// Ensure returns the holder of a global name; without one it starts a process for it
// here. Of several that do so at the same time one process stays: the others are stopped.
func (g Global) Ensure(ctx context.Context, global string, spec Spec, options GlobalOptions) (name.Ref, error) {
	for {
		if ref, found := g.Whereis(global); found {
			return ref, nil
		}
		proc, err := g.node.Spawn(spec)
		if err != nil {
			return name.Ref{}, err
		}
		if err = g.Register(ctx, global, proc, options); err == nil {
			return proc.Ref(), nil
		}
		proc.Stop()
		if !errors.Is(err, ErrTaken) {
			return name.Ref{}, err
		}
		select { // until we hear of who has it
		case <-time.After(syncStep):
		case <-ctx.Done():
			return name.Ref{}, ctx.Err()
		}
	}
}

// Sync waits until all members that are alive know the same global names, each with one
// holder; the error is that of ctx.
func (g Global) Sync(ctx context.Context) error {
	for {
		l, err := g.node.current()
		if err != nil {
			return err
		}
		if l.inStep(ctx) {
			return nil
		}
		select {
		case <-time.After(syncStep):
		case <-ctx.Done():
			return fmt.Errorf("global names are not the same everywhere yet: %w", ctx.Err())
		}
	}
}

func (l *life) inStep(ctx context.Context) bool {
	once, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	mine, single := l.globalDigest()
	if !single {
		return false
	}
	for _, r := range Multicall[globalRequest, string](once, l.node, Everywhere(globalControl(), l.node.Alive()), globalRequest{}) {
		if r.Err != nil || r.Value != mine {
			return false
		}
	}
	return true
}

// globalDigest is what this node knows, and whether each name has one holder.
func (l *life) globalDigest() (digest string, single bool) {
	h := fnv.New128a()
	single = true
	for _, c := range l.services.List(globalPrefix) {
		holders := l.holders(c.Service)
		single = single && len(holders) == 1
		_, _ = fmt.Fprintln(h, c.Service, holders)
	}
	return fmt.Sprintf("%x", h.Sum(nil)), single
}

func globalControl() name.Service { return name.MustService("_global") }

// startGlobals starts the process that answers other nodes, and watches for conflicts.
func (l *life) startGlobals() error {
	l.globals.claims, l.globals.held = map[string]claim{}, map[string]*holding{}
	if err := errors.Join(AddType[globalRequest](l.node, "barrel.global"), l.node.AddError("barrel.taken", ErrTaken)); err != nil {
		return err
	}
	proc, err := l.processes.Spawn(Spec{Handle: Handle(l.onGlobal)})
	if err == nil {
		err = l.processes.Bind(globalControl(), proc.Ref())
	}
	if err != nil {
		return err
	}
	w := l.services.Watch(globalPrefix)
	l.tasks.Go("global names", func(ctx context.Context) {
		defer w.Close()
		for {
			e, err := w.Next(ctx)
			if err != nil {
				return
			}
			global := strings.TrimPrefix(e.Entry.Service.String(), globalPrefix)
			if e.Type == registry.Registered {
				l.settle(global)
			} else {
				l.unclaim(global, e.Entry.Ref)
			}
		}
	})
	return nil
}

// onGlobal grants a claim, or refuses it with ErrTaken.
func (l *life) onGlobal(_ context.Context, req globalRequest) (string, error) {
	if req.Name == "" {
		digest, _ := l.globalDigest()
		return digest, nil
	}
	if where, found := l.whereisGlobal(req.Name); found && where != req.Ref {
		return "", fmt.Errorf("global name %s belongs to %s: %w", req.Name, where, ErrTaken)
	}
	l.globals.mu.Lock()
	defer l.globals.mu.Unlock()
	now := time.Now()
	for global, c := range l.globals.claims {
		if now.After(c.till) {
			delete(l.globals.claims, global)
		}
	}
	if c, found := l.globals.claims[req.Name]; found && c.Ref != req.Ref && !l.claimIsOver(c) {
		return "", fmt.Errorf("global name %s is being given to %s: %w", req.Name, c.Ref, ErrTaken)
	}
	if len(l.globals.claims) >= maxClaims {
		return "", fmt.Errorf("global name %s: %w", req.Name, ErrBusy)
	}
	l.globals.claims[req.Name] = claim{Name: req.Name, Ref: req.Ref, till: now.Add(claimTime)}
	return "", nil
}

// unclaim: a name that has been given back is free at once.
func (l *life) unclaim(global string, ref name.Ref) {
	l.globals.mu.Lock()
	defer l.globals.mu.Unlock()
	if l.globals.claims[global].Ref == ref {
		delete(l.globals.claims, global)
	}
}

const maxClaims = 64 << 10

// claimIsOver: a process of this node that has ended needs no name any more.
func (l *life) claimIsOver(c claim) bool {
	if c.Ref.Node != l.name {
		return false
	}
	_, err := l.processes.Find(Target{Node: c.Ref.Node, Ref: c.Ref})
	return err != nil
}

// settle resolves a conflict over a name that a process of this node holds.
func (l *life) settle(global string) {
	service, err := globalService(global)
	l.globals.mu.Lock()
	h := l.globals.held[global]
	l.globals.mu.Unlock()
	if err != nil || h == nil {
		return
	}
	me := h.proc.Ref()
	for _, other := range l.holders(service) {
		if other == me {
			continue
		}
		a, b := me, other
		if b.Compare(a) < 0 {
			a, b = b, a
		}
		if keep := h.options.Resolve(global, a, b); keep != me {
			l.yield(global, h, keep)
			return
		}
	}
}

// yield gives a name up.
func (l *life) yield(global string, h *holding, winner name.Ref) {
	l.globals.mu.Lock()
	if l.globals.held[global] == h {
		delete(l.globals.held, global)
	}
	l.globals.mu.Unlock()
	if err := h.reg.Close(); err != nil {
		l.log.Warn("global name not given up", "name", global, "error", err)
	}
	l.publish("service", "conflict", winner.Node, "two holders of a global name met", map[string]string{"name": global, "winner": winner.String()})
	ctx := context.Background()
	if h.options.ExitLoser {
		_ = l.processes.Exit(ctx, h.proc.Ref(), ErrTaken) // one that has ended has nothing to lose
		return
	}
	_ = l.processes.Cast(Target{Node: l.name, Ref: h.proc.Ref()}, Lost{Name: global, Winner: winner})
}
