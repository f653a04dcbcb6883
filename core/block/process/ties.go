package process

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// Down is what comes of a monitor, once: the process has ended, or there is none, or
// its node is gone. Reason is nil for a normal end; test with errors.Is: ErrKilled,
// ErrShutdown, ErrPanicked, ErrNoProcess, ErrNoConnection, or whatever the process
// returned.
type Down struct {
	Target  Target // as it was monitored
	Monitor uint64
	Reason  error
}

// Exit is what a process that traps exits gets in place of its own end.
type Exit struct {
	From   name.Ref
	Reason error // nil for a normal end

	asked bool // From wants this process to end; otherwise it has ended itself
}

// NodeUp tells a process that watches nodes of a new link.
type NodeUp struct{ Node name.Node }

// NodeDown tells a process that watches nodes that there is no link any more.
type NodeDown struct{ Node name.Node }

// watch is somebody who monitors a process of this node.
type watch struct {
	number uint64
	who    name.Ref // elsewhere; zero: notify
	target Target
	notify func(Down)
}

// tie is what binds this node to another: monitors and links over the border.
type tie struct {
	monitors map[uint64]watch    // of this node, by number
	links    map[linked]struct{} // both ways
	watched  map[*Process]int    // processes here that are monitored from there
	release  func()              // keeps the link from being closed as idle
}

type linked struct {
	proc  *Process
	other name.Ref
}

// ties are all of them, and who watches nodes.
type ties struct {
	mu       sync.Mutex
	next     uint64
	nodes    map[name.Node]*tie
	up       map[name.Node]bool // hidden or not
	watchers map[*Process]int
	hooks    map[uint64]func(node name.Node, up bool)
	local    map[uint64]*pendingMonitor // of processes of this node that are about to start
}

func (t *ties) init() {
	t.nodes, t.up = map[name.Node]*tie{}, map[name.Node]bool{}
	t.watchers, t.hooks = map[*Process]int{}, map[uint64]func(name.Node, bool){}
	t.local = map[uint64]*pendingMonitor{}
}

func (t *ties) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.nodes, t.up, t.watchers = map[name.Node]*tie{}, map[name.Node]bool{}, map[*Process]int{}
}

// change changes what binds the node to another, and holds the link if anything does.
func (p *Processes) change(node name.Node, change func(*tie)) {
	t := &p.ties
	t.mu.Lock()
	tied := t.nodes[node]
	if tied == nil {
		tied = &tie{monitors: map[uint64]watch{}, links: map[linked]struct{}{}, watched: map[*Process]int{}}
		t.nodes[node] = tied
	}
	change(tied)
	loose := len(tied.monitors)+len(tied.links)+len(tied.watched) == 0
	if loose {
		delete(t.nodes, node)
	}
	hold := !loose && tied.release == nil
	if hold {
		tied.release = func() {} // somebody sees to it
	}
	t.mu.Unlock()
	switch {
	case loose:
		p.loosen(tied)
	case hold:
		p.hold(node, tied)
	}
}

// hold is called without locks, because links have their own.
func (p *Processes) hold(node name.Node, tied *tie) {
	release := p.cfg.Network.Hold(node)
	p.ties.mu.Lock()
	kept := p.ties.nodes[node] == tied
	if kept {
		tied.release = release
	}
	p.ties.mu.Unlock()
	if !kept {
		release()
	}
}

// loosen lets the link go; it may be called where links are locked.
func (p *Processes) loosen(tied *tie) {
	if release := tied.release; release != nil {
		p.cfg.Tasks.Go("release", func(context.Context) { release() })
	}
}

// monitor watches a process for notify, which must not block and is called once unless
// demonitor comes first.
func (p *Processes) monitor(ctx context.Context, from name.Ref, to Target, notify func(Down)) uint64 {
	p.ties.mu.Lock()
	p.ties.next++
	number := p.ties.next
	p.ties.mu.Unlock()
	w := watch{number: number, target: to, notify: notify}
	if to.Node == p.cfg.Node {
		p.watchHere(w)
		return number
	}
	p.change(to.Node, func(t *tie) { t.monitors[number] = w })
	err := p.check(ctx, to)
	if err == nil {
		err = p.connect(ctx, to.Node)
	}
	if err != nil {
		p.fire(to.Node, number, fmt.Errorf("%w: %w", err, ErrNoConnection))
		return number
	}
	p.signal(from.ID, to, sigMonitor, number, nil)
	return number
}

func (p *Processes) watchHere(w watch) {
	proc, err := p.find(w.target)
	if err != nil || !proc.addWatch(w) {
		w.notify(Down{Target: w.target, Monitor: w.number, Reason: ErrNoProcess})
	}
}

// addWatch is false for a process that has told of its end.
func (proc *Process) addWatch(w watch) bool {
	proc.mu.Lock()
	defer proc.mu.Unlock()
	if !proc.told {
		proc.watches = append(proc.watches, w)
	}
	return !proc.told
}

// awaits reports whether the end of a process elsewhere, monitored from here, is still to
// come.
func (p *Processes) awaits(node name.Node, number uint64) bool {
	p.ties.mu.Lock()
	defer p.ties.mu.Unlock()
	tied := p.ties.nodes[node]
	if tied == nil {
		return false
	}
	_, found := tied.monitors[number]
	return found
}

// removeWatch is that of a reference, or of this node if that is zero.
func (proc *Process) removeWatch(who name.Ref, number uint64) bool {
	proc.mu.Lock()
	defer proc.mu.Unlock()
	before := len(proc.watches)
	proc.watches = slices.DeleteFunc(proc.watches, func(w watch) bool { return w.number == number && w.who == who })
	return len(proc.watches) < before
}

// demonitor takes a monitor back; its notice may be on the way.
func (p *Processes) demonitor(from name.Ref, to Target, number uint64) {
	if to.Node == p.cfg.Node {
		if proc, err := p.find(to); err == nil {
			proc.removeWatch(name.Ref{}, number)
		}
		return
	}
	found := false
	p.change(to.Node, func(t *tie) {
		_, found = t.monitors[number]
		delete(t.monitors, number)
	})
	if found {
		p.signal(from.ID, to, sigDemonitor, number, nil)
	}
}

// fire tells who monitors a process of another node.
func (p *Processes) fire(node name.Node, number uint64, reason error) {
	var w watch
	p.change(node, func(t *tie) {
		w = t.monitors[number]
		delete(t.monitors, number)
	})
	if w.notify != nil {
		w.notify(Down{Target: w.target, Monitor: number, Reason: reason})
	}
}

// tell tells those who watch a process of its end, once.
func (proc *Process) tell() {
	proc.mu.Lock()
	if proc.told {
		proc.mu.Unlock()
		return
	}
	proc.told = true
	watches, links, reason := proc.watches, proc.links, proc.reason
	proc.watches, proc.links = nil, nil
	proc.mu.Unlock()
	p := proc.procs
	p.unwatchNodes(proc, true)
	for _, w := range watches {
		if w.who.IsZero() {
			w.notify(Down{Target: w.target, Monitor: w.number, Reason: reason})
			continue
		}
		p.signal(proc.ref.ID, ToRef(w.who), sigDown, w.number, reason)
		p.change(w.who.Node, func(t *tie) { t.unwatched(proc) })
	}
	for _, other := range links {
		p.breakLink(proc, other, reason)
	}
}

func (t *tie) unwatched(proc *Process) {
	if t.watched[proc]--; t.watched[proc] <= 0 {
		delete(t.watched, proc)
	}
}

// PeerUp and PeerDown end here.

func (t *ties) nodeUp(p *Processes, node name.Node, hidden bool) {
	t.mu.Lock()
	t.up[node] = hidden
	t.mu.Unlock()
	if !hidden {
		t.announce(p, node, true)
	}
}

func (t *ties) nodeDown(p *Processes, node name.Node) {
	t.mu.Lock()
	hidden, was := t.up[node]
	delete(t.up, node)
	tied := t.nodes[node]
	delete(t.nodes, node)
	t.mu.Unlock()
	if tied != nil {
		tied.part(p, node)
	}
	if was && !hidden {
		t.announce(p, node, false)
	}
}

// part tells of everything that was bound to a node that is gone.
func (t *tie) part(p *Processes, node name.Node) {
	p.loosen(t)
	for number, w := range t.monitors {
		w.notify(Down{Target: w.target, Monitor: number, Reason: ErrNoConnection})
	}
	for proc := range t.watched {
		proc.mu.Lock()
		proc.watches = slices.DeleteFunc(proc.watches, func(w watch) bool { return w.who.Node == node })
		proc.mu.Unlock()
	}
	for l := range t.links {
		if l.proc.dropLink(l.other) {
			l.proc.exit(Exit{From: l.other, Reason: ErrNoConnection})
		}
	}
}
