package process

import (
	"context"
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
// bytes; allow says which. This node always may. A nil function takes the offer back.
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
	Monitor bool     // for Self.StartOn: a Down comes to this process, whatever becomes of it
}

// startRequest asks a node to start a process.
type startRequest struct {
	Function string
	Codec    Codec
	Type     string
	Args     []byte
	Link     name.Ref
	Number   uint64 // of the monitor of who asks; 0: none
	Mailbox  int
}

// controlName is bound to the process by which nodes ask each other for things.
func controlName() name.Service { return name.MustService("_node") }

// StartOn starts a process on a node, this one or another, with a function that it
// offers. Errors: ErrNoProcess if it does not offer it, ErrDenied if not to this node,
// and those of Call.
func (p *Processes) StartOn(ctx context.Context, node name.Node, function string, args any, options StartOptions) (name.Ref, error) {
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

// StartOn starts a process on a node: see Processes.StartOn. The monitor, if one is asked
// for, is there before the process runs.
func (s *Self) StartOn(ctx context.Context, node name.Node, function string, args any, options StartOptions) (name.Ref, error) {
	p := s.proc.procs
	req := startRequest{Link: options.Link, Mailbox: options.Mailbox}
	if !options.Monitor {
		return p.start(ctx, s.proc.ref, node, function, args, req)
	}
	pending := &pendingMonitor{proc: s.proc}
	req.Number = p.expect(node, pending)
	ref, err := p.start(ctx, s.proc.ref, node, function, args, req)
	if err != nil {
		p.change(node, func(t *tie) { delete(t.monitors, req.Number) })
		p.watchStarted(nil, p.Self(), req.Number)
		return ref, err
	}
	pending.known(ref)
	return ref, nil
}

// pendingMonitor passes a Down on when it is known of which process it is.
type pendingMonitor struct {
	proc *Process
	mu   sync.Mutex
	ref  name.Ref
	down *Down
}

func (m *pendingMonitor) notify(d Down) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ref.IsZero() {
		m.down = &d
		return
	}
	d.Target = ToRef(m.ref)
	m.proc.notice(m.ref, d)
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
		p.ties.local[number] = m.notify
		p.ties.mu.Unlock()
	}
	return number
}

// watchStarted gives a process the monitor of who had it started.
func (p *Processes) watchStarted(proc *Process, from name.Ref, number uint64) {
	if from.Node != p.cfg.Node {
		p.watchFrom(from, ToRef(proc.ref), number, proc)
		return
	}
	p.ties.mu.Lock()
	notify := p.ties.local[number]
	delete(p.ties.local, number)
	p.ties.mu.Unlock()
	if notify != nil && proc != nil {
		p.watchHere(watch{number: number, target: ToRef(proc.ref), notify: notify})
	}
}

// spawnControl starts the process that answers other nodes.
func (p *Processes) spawnControl() error {
	if err := p.types.Add("barrel.start", startRequest{}); err != nil {
		return err
	}
	proc, err := p.Spawn(Spec{Handle: p.control, Workers: 16})
	if err != nil {
		return err
	}
	return p.Bind(controlName(), proc.ref)
}

func (p *Processes) control(_ context.Context, m Message) (any, error) {
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
