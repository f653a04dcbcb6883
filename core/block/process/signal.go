package process

import (
	"context"
	"fmt"
	"slices"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// The signals between processes of two nodes. They go the way of the messages of the
// same pair, so that the end of a process comes after all that it has sent.
const (
	sigMonitor   = 1 // of the target, by the sender, under a number
	sigDemonitor = 2
	sigDown      = 3 // for a monitor of the target: the sender has ended
	sigLink      = 4
	sigUnlink    = 5
	sigExit      = 6 // over a link: the sender has ended
	sigSignal    = 7 // the sender wants the target to end
	sigKill      = 8
	sigUndo      = 9 // of the node: a start whose answer came too late has not been wanted
)

// manySignals is how many bytes may wait before signals are lost with the link.
const manySignals = 64 << 20

// signal sends a signal to a process elsewhere. It never waits.
func (p *Processes) signal(sender uint64, to Target, kind byte, number uint64, reason error) {
	o := &p.remote(to.Node).outlets[to.shard(sender)]
	o.hand(item{quiet: true}, manySignals, func(b []byte) []byte {
		b = appendTarget(appendNumber(append(beginFrame(b, frameSignal), kind), sender), to)
		return appendFault(appendNumber(b, number), p.types.faultOf(reason))
	})
}

// signal takes a signal from elsewhere, behind large messages of the same pair.
func (in *intake) signal(f *frame) error {
	g := in.guest
	if f.signal < sigMonitor || f.signal > sigUndo {
		return fmt.Errorf("message frame: signal %d: %w", f.signal, ErrMalformed)
	}
	from := name.Ref{Node: g.node, Incarnation: g.incarnation, ID: f.sender}
	reason := in.procs.types.read(f.fault, g.node)
	kind, to, number := f.signal, f.target, f.number
	act := func() { in.procs.signalled(from, to, kind, number, reason) }
	in.behind = slices.DeleteFunc(in.behind, func(a *inbound) bool {
		a.behind = a.late != nil
		return !a.behind
	})
	for _, a := range in.behind {
		if a.target == to {
			a.inOrder(f.sender, act)
			return nil
		}
	}
	act()
	return nil
}

func (p *Processes) signalled(from name.Ref, to Target, kind byte, number uint64, reason error) {
	if kind == sigDown {
		p.fire(from.Node, number, reason)
		return
	}
	proc, err := p.find(to)
	switch kind {
	case sigMonitor:
		p.watchFrom(from, to, number, proc)
	case sigLink:
		if err != nil || !proc.addLink(from) {
			p.signal(to.Ref.ID, ToRef(from), sigExit, 0, ErrNoProcess)
			return
		}
		p.change(from.Node, func(t *tie) { t.links[linked{proc, from}] = struct{}{} })
	}
	if err != nil {
		return // it is gone, and has told so
	}
	switch kind {
	case sigDemonitor:
		if proc.removeWatch(from, number) {
			p.change(from.Node, func(t *tie) { t.unwatched(proc) })
		}
	case sigUnlink, sigExit:
		if proc.dropLink(from) {
			p.change(from.Node, func(t *tie) { delete(t.links, linked{proc, from}) })
			if kind == sigExit {
				proc.exit(Exit{From: from, Reason: reason})
			}
		}
	case sigSignal:
		proc.exit(Exit{From: from, Reason: reason, asked: true})
	case sigKill:
		proc.kill()
	case sigUndo:
		if to == ToName(p.cfg.Node, controlName()) { // no other process knows what it is
			proc.notice(from, undo{number})
		}
	}
}

// watchFrom notes a monitor from elsewhere. It may be that of the node itself.
func (p *Processes) watchFrom(from name.Ref, to Target, number uint64, proc *Process) {
	if proc != nil {
		p.change(from.Node, func(t *tie) { t.watched[proc]++ })
		if proc.addWatch(watch{number: number, who: from, target: to}) {
			return
		}
		p.change(from.Node, func(t *tie) { t.unwatched(proc) })
	}
	p.signal(max(to.Ref.ID, nodeID), ToRef(from), sigDown, number, ErrNoProcess)
}

// link links a process of this node to another, here or elsewhere.
func (p *Processes) link(proc *Process, other name.Ref) {
	if other == proc.ref || !proc.addLink(other) {
		return
	}
	if other.Node == p.cfg.Node {
		if there, err := p.find(ToRef(other)); err != nil || !there.addLink(proc.ref) {
			proc.dropLink(other)
			proc.exit(Exit{From: other, Reason: ErrNoProcess})
		}
		return
	}
	p.change(other.Node, func(t *tie) { t.links[linked{proc, other}] = struct{}{} })
	p.signal(proc.ref.ID, ToRef(other), sigLink, 0, nil)
}

func (p *Processes) unlink(proc *Process, other name.Ref) {
	if !proc.dropLink(other) {
		return
	}
	if other.Node == p.cfg.Node {
		if there, err := p.find(ToRef(other)); err == nil {
			there.dropLink(proc.ref)
		}
		return
	}
	p.change(other.Node, func(t *tie) { delete(t.links, linked{proc, other}) })
	p.signal(proc.ref.ID, ToRef(other), sigUnlink, 0, nil)
}

// breakLink passes the end of a process on over a link.
func (p *Processes) breakLink(proc *Process, other name.Ref, reason error) {
	if other.Node == p.cfg.Node {
		if there, err := p.find(ToRef(other)); err == nil && there.dropLink(proc.ref) {
			there.exit(Exit{From: proc.ref, Reason: reason})
		}
		return
	}
	p.change(other.Node, func(t *tie) { delete(t.links, linked{proc, other}) })
	p.signal(proc.ref.ID, ToRef(other), sigExit, 0, reason)
}

// addLink is false for a process that has told of its end.
func (proc *Process) addLink(other name.Ref) bool {
	proc.mu.Lock()
	defer proc.mu.Unlock()
	if !proc.told && !slices.Contains(proc.links, other) {
		proc.links = append(proc.links, other)
	}
	return !proc.told
}

func (proc *Process) dropLink(other name.Ref) bool {
	proc.mu.Lock()
	defer proc.mu.Unlock()
	i := slices.Index(proc.links, other)
	if i >= 0 {
		proc.links = slices.Delete(proc.links, i, i+1)
	}
	return i >= 0
}

// exit is an exit signal: a process that traps exits gets a message, others end with
// the reason unless it is a normal one.
func (proc *Process) exit(e Exit) {
	proc.mu.Lock()
	trap := proc.trap
	proc.mu.Unlock()
	switch {
	case trap:
		proc.notice(e.From, e)
	case e.Reason != nil:
		proc.die(e.Reason)
	}
}

// kill ends the process for everybody at once, whatever its body does.
func (proc *Process) kill() {
	proc.die(ErrKilled)
	proc.tell()
}

// notice puts something of the block's own into the mailbox.
func (proc *Process) notice(from name.Ref, value any) {
	e := entry{value: &notice{from, value}, sort: aSignal}
	_, _ = proc.box.add(&e) // one that has ended needs no notice
}

// Exit sends an exit signal to a process: it ends with the reason, or gets an Exit if
// it traps exits. A nil reason ends nobody. Kill cannot be trapped.
func (p *Processes) Exit(ctx context.Context, ref name.Ref, reason error) error {
	return p.sendSignal(ctx, p.Self(), ref, sigSignal, reason)
}

// Kill ends a process; for others it has ended at once.
func (p *Processes) Kill(ctx context.Context, ref name.Ref) error {
	return p.sendSignal(ctx, p.Self(), ref, sigKill, nil)
}

func (p *Processes) sendSignal(ctx context.Context, from, ref name.Ref, kind byte, reason error) error {
	if err := p.check(ctx, ToRef(ref)); err != nil {
		return err
	}
	if ref.Node == p.cfg.Node {
		p.signalled(from, ToRef(ref), kind, 0, reason)
		return nil
	}
	if err := p.connect(ctx, ref.Node); err != nil {
		return err
	}
	p.signal(from.ID, ToRef(ref), kind, 0, reason)
	return nil
}
