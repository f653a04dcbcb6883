package process

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// Monitor watches a process: a Down comes into this mailbox, once, behind everything
// that the process has sent to this one. It returns the number of the monitor. ctx
// bounds the dial that may be needed.
func (s *Self) Monitor(ctx context.Context, to Target) uint64 {
	proc := s.proc
	return proc.procs.monitor(ctx, proc.ref, to, func(d Down) { proc.notice(d.Target.Ref, d) })
}

// Demonitor takes a monitor of a target back, and its Down out of the mailbox if it has
// come.
func (s *Self) Demonitor(to Target, number uint64) {
	s.proc.procs.demonitor(s.proc.ref, to, number)
	var m Message
	for i := 0; s.peek(i, &m); i++ {
		if d, ok := m.value.(Down); ok && d.Monitor == number {
			s.take(i, &m)
			break
		}
	}
	s.proc.box.awake()
}

// Link ties the life of this process to another: when one ends, the other gets an exit
// signal. A link to a process that does not exist is one to a process that ends at once.
func (s *Self) Link(ctx context.Context, ref name.Ref) error {
	p := s.proc.procs
	if ref.Node != p.cfg.Node {
		if err := p.connect(ctx, ref.Node); err != nil {
			return fmt.Errorf("link to %s: %w", ref, err)
		}
	}
	p.link(s.proc, ref)
	return nil
}

// Unlink takes a link back.
func (s *Self) Unlink(ref name.Ref) { s.proc.procs.unlink(s.proc, ref) }

// Exit sends an exit signal: see Processes.Exit.
func (s *Self) Exit(ctx context.Context, ref name.Ref, reason error) error {
	return s.proc.procs.sendSignal(ctx, s.proc.ref, ref, sigSignal, reason)
}

// TrapExit makes exit signals messages, or what they were. Kill is no such signal.
func (s *Self) TrapExit(on bool) {
	s.proc.mu.Lock()
	defer s.proc.mu.Unlock()
	s.proc.trap = on
}

// MonitorNodes puts a NodeUp into this mailbox for every link that is made to a node
// that is not hidden, before anything from there, and a NodeDown behind the last. What
// is linked already is told at once. Turned on several times it tells as often.
func (s *Self) MonitorNodes(on bool) {
	proc := s.proc
	t := &proc.procs.ties
	if !on {
		proc.procs.unwatchNodes(proc, false)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.watchers[proc]++
	for node, hidden := range t.up {
		if !hidden {
			proc.notice(name.Ref{}, NodeUp{node})
		}
	}
}

func (p *Processes) unwatchNodes(proc *Process, all bool) {
	p.ties.mu.Lock()
	defer p.ties.mu.Unlock()
	if times := p.ties.watchers[proc]; times > 1 && !all {
		p.ties.watchers[proc] = times - 1
	} else if times > 0 {
		delete(p.ties.watchers, proc)
	}
}

// announce tells those who watch nodes.
func (t *ties) announce(p *Processes, node name.Node, up bool) {
	var notice any = NodeDown{node}
	if up {
		notice = NodeUp{node}
	}
	t.mu.Lock()
	watchers, hooks := maps.Clone(t.watchers), slices.Collect(maps.Values(t.hooks))
	t.mu.Unlock()
	for proc, times := range watchers {
		for range times {
			proc.notice(p.Self(), notice)
		}
	}
	for _, hook := range hooks {
		hook(node, up)
	}
}

// WatchNodes calls hook for every node that is linked or not any more, until stop is
// called. It must not block.
func (p *Processes) WatchNodes(hook func(node name.Node, up bool)) (stop func()) {
	p.ties.mu.Lock()
	defer p.ties.mu.Unlock()
	p.ties.next++
	number := p.ties.next
	p.ties.hooks[number] = hook
	return func() {
		p.ties.mu.Lock()
		defer p.ties.mu.Unlock()
		delete(p.ties.hooks, number)
	}
}

// Nodes lists the nodes that are linked: those that are hidden, or those that are not.
func (p *Processes) Nodes(hidden bool) (nodes []name.Node) {
	p.ties.mu.Lock()
	defer p.ties.mu.Unlock()
	for node, is := range p.ties.up {
		if is == hidden {
			nodes = append(nodes, node)
		}
	}
	slices.SortFunc(nodes, name.Node.Compare)
	return nodes
}

// Monitor watches a process on behalf of no process: what comes of it is sent to the
// channel, which has room for it. stop takes the monitor back.
func (p *Processes) Monitor(ctx context.Context, to Target) (down <-chan Down, stop func()) {
	ch := make(chan Down, 1)
	number := p.monitor(ctx, p.Self(), to, func(d Down) { ch <- d })
	return ch, func() { p.demonitor(p.Self(), to, number) }
}
