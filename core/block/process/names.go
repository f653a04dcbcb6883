package process

import (
	"fmt"
	"slices"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// Bind makes a process of this node reachable under a service name here. Several
// processes may share a name.
func (p *Processes) Bind(service name.Service, ref name.Ref) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	proc := p.procs[ref.ID]
	if proc == nil || proc.ref != ref {
		return fmt.Errorf("bind %s to %s: %w", service, ref, ErrNoProcess)
	}
	if !slices.Contains(proc.names, service) {
		proc.names = append(proc.names, service)
		p.names[service] = append(p.names[service], proc)
		p.bound.Add(1)
	}
	return nil
}

// Unbind takes a name from a process. No such binding is no error.
func (p *Processes) Unbind(service name.Service, ref name.Ref) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if proc := p.procs[ref.ID]; proc != nil && proc.ref == ref {
		p.unbind(service, proc)
	}
}

// unbind: callers hold p.mu.
func (p *Processes) unbind(service name.Service, proc *Process) {
	proc.names = slices.DeleteFunc(proc.names, func(other name.Service) bool { return other == service })
	left := slices.DeleteFunc(p.names[service], func(other *Process) bool { return other == proc })
	p.names[service] = left
	p.bound.Add(1)
	if len(left) == 0 {
		delete(p.names, service)
	}
}

// Find returns a process of this node by reference or name; ErrNoProcess without one.
func (p *Processes) Find(t Target) (*Process, error) {
	if t.Node != p.cfg.Node {
		return nil, fmt.Errorf("%s: it is not of this node: %w", t, ErrNoProcess)
	}
	return p.find(t)
}

// find returns the process that a target of this node means: the one with the
// reference, or the first that is bound to the name.
func (p *Processes) find(t Target) (*Process, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.stopped {
		return nil, fmt.Errorf("%s: %w", t, ErrStopped)
	}
	if t.Ref.IsZero() {
		if bound := p.names[t.Service]; len(bound) > 0 {
			return bound[0], nil
		}
		return nil, fmt.Errorf("%s: no process has that name there: %w", t, ErrNoProcess)
	}
	if t.Ref.Incarnation != p.cfg.Incarnation {
		return nil, fmt.Errorf("%s: the node has started again since (its incarnation is %d): %w", t, p.cfg.Incarnation, ErrNoProcess)
	}
	if proc := p.procs[t.Ref.ID]; proc != nil {
		return proc, nil
	}
	return nil, fmt.Errorf("%s: it has ended: %w", t, ErrNoProcess)
}
