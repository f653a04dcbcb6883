package process

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// Starter is a function that other nodes may start a process with. args is a message
// that holds what they gave; see As.
type Starter func(ctx context.Context, self *Self, args Message) error

// offers are the functions that a node offers to others.
type offers struct {
	mu  sync.RWMutex
	all map[string]offer
}

type offer struct {
	start Starter
	allow func(name.Node) bool
}

// Anyone lets all nodes start a function.
func Anyone(name.Node) bool { return true }

// Only lets the nodes listed start a function.
func Only(nodes ...name.Node) func(name.Node) bool {
	return func(node name.Node) bool { return slices.Contains(nodes, node) }
}

// Offer lets other nodes start processes here with a function, under a name of 1 to 255
// bytes; allow says which: all starts here wait for it, so it answers at once and starts nothing itself. This node always may. A nil function takes the offer back.
func (p *Processes) Offer(function string, allow func(name.Node) bool, start Starter) error {
	if function == "" || len(function) > maxTypeName || start != nil && allow == nil {
		return fmt.Errorf("offer %q: want a name of 1 to %d bytes, and who may start it", function, maxTypeName)
	}
	p.offers.mu.Lock()
	defer p.offers.mu.Unlock()
	if start == nil {
		delete(p.offers.all, function)
		return nil
	}
	if _, taken := p.offers.all[function]; taken {
		return fmt.Errorf("offer %q: it is offered already: take that back first", function)
	}
	p.offers.all[function] = offer{start, allow}
	return nil
}

// StartOptions says how a process is started elsewhere.
type StartOptions struct {
	Link    name.Ref // is linked to it before it runs
	Mailbox int      // 0: as that node does
	Monitor bool     // for Self.StartOn: a Down comes to this process, whatever becomes of it; see StartMonitored for others
}

// startRequest asks a node to start a process.
type startRequest struct {
	Function string
	Codec    Codec
	Type     string
	Args     []byte
	Link     name.Ref
	Number   uint64 // of the monitor of who asks, and of the start; 0: none
	Mailbox  int
}

// controlName is bound to the process by which nodes ask each other for things.
func controlName() name.Service { return name.MustService("_node") }

// StartOn starts a process on a node, this one or another, with a function that it
// offers. Errors: ErrNoProcess if it does not offer it, ErrDenied if not to this node,
// errors.ErrUnsupported for a monitor, which StartMonitored makes, and those of Call.
func (p *Processes) StartOn(ctx context.Context, node name.Node, function string, args any, options StartOptions) (name.Ref, error) {
	if options.Monitor {
		return name.Ref{}, fmt.Errorf("start %q on %s: a Down comes to a process, which this caller is not: start it monitored: %w", function, node, errors.ErrUnsupported)
	}
	return p.start(ctx, p.Self(), node, function, args, startRequest{Link: options.Link, Mailbox: options.Mailbox})
}

func (p *Processes) start(ctx context.Context, from name.Ref, node name.Node, function string, args any, req startRequest) (name.Ref, error) {
	payload, err := p.types.pack(args)
	if err != nil {
		return name.Ref{}, fmt.Errorf("start %q on %s: %w", function, node, err)
	}
	defer p.types.unpack(payload)
	req.Function, req.Codec, req.Type = function, payload.codec, payload.kind
	req.Args = append(append([]byte(nil), payload.data...), payload.text...)
	out, err := p.call(ctx, from, ToName(node, controlName()), req, 0)
	if err != nil {
		return name.Ref{}, fmt.Errorf("start %q: %w", function, err)
	}
	return Convert[name.Ref](p.types, out)
}

// StartOn starts a process on a node: see Processes.StartOn, and for the monitor, if one is
// asked for, Processes.StartMonitored.
func (s *Self) StartOn(ctx context.Context, node name.Node, function string, args any, options StartOptions) (name.Ref, error) {
	if !options.Monitor {
		return s.proc.procs.start(ctx, s.proc.ref, node, function, args, startRequest{Link: options.Link, Mailbox: options.Mailbox})
	}
	ref, _, err := s.startWatched(ctx, node, function, args, options)
	return ref, err
}

// spawnControl starts the process that answers other nodes.
func (p *Processes) spawnControl() error {
	if err := p.types.Add("barrel.start", startRequest{}); err != nil {
		return err
	}
	proc, err := p.Spawn(Spec{Handle: p.control}) // one after the other: see undo
	if err != nil {
		return err
	}
	return p.Bind(controlName(), proc.ref)
}

func (p *Processes) control(ctx context.Context, m Message) (any, error) {
	if u, is := m.value.(undo); is {
		p.undo(m.From, u.number)
		return nil, nil
	}
	req, err := As[startRequest](m)
	if err != nil {
		return nil, err
	}
	p.offers.mu.RLock()
	offered, found := p.offers.all[req.Function]
	p.offers.mu.RUnlock()
	switch {
	case !found:
		return nil, fmt.Errorf("function %q is not offered here: %w", req.Function, ErrNoProcess)
	case m.From.Node != p.cfg.Node && !offered.allow(m.From.Node):
		return nil, fmt.Errorf("function %q is not offered to %s: %w", req.Function, m.From.Node, ErrDenied)
	case req.Link.Node != m.From.Node && !req.Link.IsZero():
		return nil, fmt.Errorf("a link to %s on behalf of %s: %w", req.Link.Node, m.From.Node, ErrDenied)
	}
	if err := ctx.Err(); err != nil {
		return nil, err // nobody waits any more
	}
	args := Message{From: m.From, types: p.types, value: &Encoded{Codec: req.Codec, Type: req.Type, Data: req.Args}}
	spec := Spec{Mailbox: req.Mailbox, Run: func(ctx context.Context, self *Self) error { return offered.start(ctx, self, args) }}
	if !req.Link.IsZero() {
		spec.Links = []name.Ref{req.Link}
	}
	spec.started = func(proc *Process) {
		if req.Number > 0 {
			p.watchStarted(proc, m.From, req.Number)
		}
	}
	proc, err := p.Spawn(spec)
	if err != nil {
		return nil, err
	}
	return proc.ref, nil
}
