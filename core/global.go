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

// ErrTaken: the global name belongs to another process. ErrConflict: it has several
// holders that all stay, because their resolvers do not say the same.
var (
	ErrTaken    = errors.New("global name is taken")
	ErrConflict = errors.New("holders of a global name both stay")
)

// Resolver chooses between two holders of a global name, the one with the smaller
// reference first, and is asked on the nodes of both: it must say the same on each, or
// both stay, which is an event and a warning in the log. A zero reference keeps neither.
type Resolver func(global string, a, b name.Ref) (keep name.Ref)

// KeepLowest keeps the holder on the node with the smaller name.
func KeepLowest(_ string, a, _ name.Ref) name.Ref { return a }

// KeepRandom keeps one of them, neither the lower nor the higher as a rule: a hash of the
// name and both references decides, so that both nodes say the same without asking. It
// is fair over many names, and no secret.
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
	mu       sync.Mutex
	claims   map[string]claim // that this node has granted
	followed int              // of the claims, those whose process elsewhere is watched
	held     map[string]*holding
}

type claim struct {
	Name string
	Ref  name.Ref
	till time.Time
	end  context.CancelFunc // of watching the process; nil: nobody does
}

type holding struct {
	reg     *Registration
	proc    *Process
	options GlobalOptions
	warning bool // whether a conflict that stays is being followed
}

// globalRequest is what a node asks another.
type globalRequest struct {
	Name string // empty: what it knows of all names
	Ref  name.Ref
	Word globalWord
}

// globalWord is what becomes of the name in a request, and the reference.
type globalWord uint8

const (
	claimName    globalWord = iota // keep others away from the name for the process
	withdrawName                   // do so no longer
	judgeName                      // which holder would yours keep, knowing of this one?
	meetName                       // yours and this one have met, and this one gives the name up
)

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
	arbiter, err := l.claim(ctx, global, proc.Ref())
	if err != nil {
		return err
	}
	if err := l.hold(ctx, global, service, proc, options); err != nil {
		l.withdrawClaim(arbiter, global, proc.Ref())
		return fmt.Errorf("global name %s: %w", global, err)
	}
	l.settle(global)
	return nil
}

// hold registers a name that has been claimed.
func (l *life) hold(ctx context.Context, global string, service name.Service, proc *Process, options GlobalOptions) error {
	l.globals.mu.Lock()
	h := l.globals.held[global]
	l.globals.mu.Unlock()
	if h != nil && !(&joint{reg: h.reg}).over() {
		return ErrTaken
	}
	reg, err := l.node.Offer(ctx, service, nil, proc)
	if err != nil {
		return err
	}
	l.globals.mu.Lock()
	defer l.globals.mu.Unlock()
	l.globals.held[global] = &holding{reg: reg, proc: proc, options: options}
	return nil
}

// withdrawClaim takes a claim back. It may come too late, which claimTime bounds.
func (l *life) withdrawClaim(arbiter name.Node, global string, ref name.Ref) {
	l.tellGlobal(arbiter, globalRequest{Name: global, Ref: ref, Word: withdrawName})
}

// tellGlobal tells another node something, or this one, and waits for nothing.
func (l *life) tellGlobal(node name.Node, req globalRequest) {
	if err := Cast(l.node, Target{Node: node, Service: globalControl()}, req); err != nil {
		l.log.Debug("global name: nothing told", "name", req.Name, "node", node, "error", err)
	}
}

// claim asks the member with the smallest name to keep others away, and returns which one
// does.
func (l *life) claim(ctx context.Context, global string, ref name.Ref) (name.Node, error) {
	if where, found := l.whereisGlobal(global); found && where != ref {
		return name.Node{}, fmt.Errorf("global name %s belongs to %s: %w", global, where, ErrTaken)
	}
	arbiters := l.node.Alive()
	slices.SortFunc(arbiters, name.Node.Compare)
	var last error
	for _, node := range arbiters {
		once, cancel := context.WithTimeout(ctx, askTime)
		_, err := Call[globalRequest, string](once, l.node, Target{Node: node, Service: globalControl()}, globalRequest{Name: global, Ref: ref})
		cancel()
		if err == nil || errors.Is(err, ErrTaken) {
			return node, err
		}
		if isAny(err, context.DeadlineExceeded, context.Canceled) {
			l.withdrawClaim(node, global, ref) // it may grant it yet
		}
		if ctx.Err() != nil {
			return node, err
		}
		last = err
	}
	return name.Node{}, fmt.Errorf("global name %s: nobody to ask: %w", global, last)
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
// holder. The error is that of ctx, or ErrConflict for a name of which that is in vain.
func (g Global) Sync(ctx context.Context) error {
	for {
		l, err := g.node.current()
		if err != nil {
			return err
		}
		done, err := l.inStep(ctx)
		if done || err != nil {
			return err
		}
		select {
		case <-time.After(syncStep):
		case <-ctx.Done():
			return fmt.Errorf("global names are not the same everywhere yet: %w", ctx.Err())
		}
	}
}

func (l *life) inStep(ctx context.Context) (bool, error) {
	once, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	mine, contested := l.globalDigest()
	if len(contested) > 0 {
		return false, l.standoffs(once, contested)
	}
	for _, r := range Multicall[globalRequest, string](once, l.node, Everywhere(globalControl(), l.node.Alive()), globalRequest{}) {
		if r.Err != nil || r.Value != mine {
			return false, nil
		}
	}
	return true, nil
}

// globalDigest is what this node knows, and which names have several holders.
func (l *life) globalDigest() (digest string, contested []string) {
	h := fnv.New128a()
	for _, c := range l.services.List(globalPrefix) {
		holders := l.holders(c.Service)
		if len(holders) > 1 {
			contested = append(contested, strings.TrimPrefix(c.Service.String(), globalPrefix))
		}
		_, _ = fmt.Fprintln(h, c.Service, holders)
	}
	return fmt.Sprintf("%x", h.Sum(nil)), contested
}
