package process

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// StartMonitored is StartOn with a monitor on behalf of no process, which is there before
// the process runs: what comes of it is sent to the channel, which has room for it. stop
// takes the monitor back. When waiting was in vain the start is undone, as long as the node
// can be told so; after ErrNoConnection the process may be there, without the monitor: where
// that matters, give it a Link.
func (p *Processes) StartMonitored(ctx context.Context, node name.Node, function string, args any, options StartOptions) (ref name.Ref, down <-chan Down, stop func(), err error) {
	ch := make(chan Down, 1)
	ref, number, err := p.startWatched(ctx, p.Self(), node, function, args, options, func(d Down) { ch <- d })
	if err != nil {
		return ref, nil, nil, err
	}
	return ref, ch, func() { p.demonitor(p.Self(), ToRef(ref), number) }, nil
}

// startWatched is StartOn with a monitor, whose number it returns.
func (s *Self) startWatched(ctx context.Context, node name.Node, function string, args any, options StartOptions) (name.Ref, uint64, error) {
	proc := s.proc
	return proc.procs.startWatched(ctx, proc.ref, node, function, args, options, func(d Down) { proc.notice(d.Target.Ref, d) })
}

// startWatched starts a process with a monitor that is there before it runs. A start
// whose answer does not come is undone: it may happen later.
func (p *Processes) startWatched(ctx context.Context, from name.Ref, node name.Node, function string, args any, options StartOptions, tell func(Down)) (name.Ref, uint64, error) {
	pending := &pendingMonitor{tell: tell}
	number := p.expect(node, pending)
	ref, err := p.start(ctx, from, node, function, args, startRequest{Link: options.Link, Mailbox: options.Mailbox, Number: number})
	if err == nil {
		pending.known(ref)
		return ref, number, nil
	}
	p.unexpect(node, number)
	pending.undo()
	if late := new(unanswered); node != p.cfg.Node && errors.As(err, &late) {
		p.signal(from.ID, ToName(node, controlName()), sigUndo, number, nil)
	}
	return name.Ref{}, 0, err
}

// undo comes to the control of a node, behind the start that it undoes.
type undo struct{ number uint64 }

// undo ends the process of a start that nobody waits for any more. Who asked for it
// watches it, unless it has ended or has never begun.
func (p *Processes) undo(from name.Ref, number uint64) {
	for _, proc := range p.watchedBy(from.Node) {
		if proc.hasWatch(from, number) {
			p.cfg.Log.Info("process ended, because its start was given up before it happened", "process", proc.ref, "by", from)
			proc.kill()
			return
		}
	}
}

func (p *Processes) watchedBy(node name.Node) []*Process {
	p.ties.mu.Lock()
	defer p.ties.mu.Unlock()
	if tied := p.ties.nodes[node]; tied != nil {
		return slices.Collect(maps.Keys(tied.watched))
	}
	return nil
}

func (proc *Process) hasWatch(who name.Ref, number uint64) bool {
	proc.mu.Lock()
	defer proc.mu.Unlock()
	return slices.ContainsFunc(proc.watches, func(w watch) bool { return w.number == number && w.who == who })
}

// pendingMonitor passes a Down on when it is known of which process it is.
type pendingMonitor struct {
	tell   func(Down)
	mu     sync.Mutex
	ref    name.Ref
	down   *Down
	proc   *Process // of this node, once it is there
	undone bool
}

func (m *pendingMonitor) notify(d Down) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ref.IsZero() {
		m.down = &d
		return
	}
	d.Target = ToRef(m.ref)
	m.tell(d)
}

func (m *pendingMonitor) known(ref name.Ref) {
	m.mu.Lock()
	m.ref = ref
	down := m.down
	m.mu.Unlock()
	if down != nil {
		m.notify(*down)
	}
}

// begun and undo: a process of this node whose start is not waited for does not run.
func (m *pendingMonitor) begun(proc *Process) {
	m.mu.Lock()
	m.proc = proc
	undone := m.undone
	m.mu.Unlock()
	if undone {
		proc.kill()
	}
}

func (m *pendingMonitor) undo() {
	m.mu.Lock()
	m.undone = true
	proc := m.proc
	m.mu.Unlock()
	if proc != nil {
		proc.kill()
	}
}

// expect notes a monitor of a process that is about to be started.
func (p *Processes) expect(node name.Node, m *pendingMonitor) uint64 {
	p.ties.mu.Lock()
	p.ties.next++
	number := p.ties.next
	p.ties.mu.Unlock()
	if node != p.cfg.Node {
		p.change(node, func(t *tie) { t.monitors[number] = watch{number: number, notify: m.notify} })
	} else {
		p.ties.mu.Lock()
		p.ties.local[number] = m
		p.ties.mu.Unlock()
	}
	return number
}

// unexpect: there will be no such process.
func (p *Processes) unexpect(node name.Node, number uint64) {
	p.change(node, func(t *tie) { delete(t.monitors, number) })
	p.ties.mu.Lock()
	defer p.ties.mu.Unlock()
	delete(p.ties.local, number)
}

// watchStarted gives a process the monitor of who had it started.
func (p *Processes) watchStarted(proc *Process, from name.Ref, number uint64) {
	if from.Node != p.cfg.Node {
		p.watchFrom(from, ToRef(proc.ref), number, proc)
		return
	}
	p.ties.mu.Lock()
	pending := p.ties.local[number]
	delete(p.ties.local, number)
	p.ties.mu.Unlock()
	if pending == nil {
		proc.kill() // its start has been given up
		return
	}
	p.watchHere(watch{number: number, target: ToRef(proc.ref), notify: pending.notify})
	pending.begun(proc)
}
