package core

import (
	"context"

	"github.com/barrelp2p/barrel/core/block/process"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// The words of supervision; see package core/block/process.
type (
	// SupervisorSpec says what a supervisor does.
	SupervisorSpec = process.SupervisorSpec
	// Supervisor keeps children running.
	Supervisor = process.Supervisor
	// Child says what a supervisor keeps running.
	Child = process.Child
	// Place says where a child may run.
	Place = process.Place
	// StartOptions says how a process is started elsewhere.
	StartOptions = process.StartOptions
)

// Who is started again with a child that has ended, and when a child is.
const (
	OneForOne  = process.OneForOne
	OneForAll  = process.OneForAll
	RestForOne = process.RestForOne

	Permanent = process.Permanent
	Transient = process.Transient
	Temporary = process.Temporary
)

// The errors of supervision; test with errors.Is.
var (
	ErrTooManyRestarts = process.ErrTooManyRestarts
	ErrChildExists     = process.ErrChildExists
	ErrNoChild         = process.ErrNoChild
)

// Supervise starts a supervisor on this node, and its children in order. Children with a
// Place may run on other nodes, and move when theirs is gone.
func (n *Node) Supervise(ctx context.Context, spec SupervisorSpec) (*Supervisor, error) {
	l, err := n.current()
	if err != nil {
		return nil, err
	}
	return l.processes.Supervise(ctx, spec)
}

// Anyone lets all nodes start a function.
func Anyone(node name.Node) bool { return process.Anyone(node) }

// Only lets the nodes listed start a function.
func Only(nodes ...name.Node) func(name.Node) bool { return process.Only(nodes...) }

// OfferStart lets other nodes start processes here with a function, under a name; allow says
// which nodes may. It holds for this life of the node. Go cannot send a function to
// another node: both programs have it, and know it by its name.
func OfferStart[Args any](n *Node, function string, allow func(name.Node) bool, start func(ctx context.Context, self *Self, args Args) error) error {
	l, err := n.current()
	if err != nil {
		return err
	}
	return l.processes.Offer(function, allow, func(ctx context.Context, self *Self, m Message) error {
		args, err := process.As[Args](m)
		if err != nil {
			return err
		}
		return start(ctx, self, args)
	})
}

// SpawnOn starts a process on a node, this one or another, with a function that it
// offers, and returns its reference. Errors: ErrNoProcess if it does not offer it,
// ErrDenied if not to this node, and those of Call. Self.StartOn does the same for a
// process, and can link and monitor the new one before it runs; SpawnOnMonitored monitors
// it for who is no process, which options.Monitor cannot: that is errors.ErrUnsupported.
func SpawnOn[Args any](ctx context.Context, n *Node, at name.Node, function string, args Args, options StartOptions) (name.Ref, error) {
	l, err := starting[Args](n)
	if err != nil {
		return name.Ref{}, err
	}
	return l.processes.StartOn(ctx, at, function, args, options)
}

// SpawnOnMonitored is SpawnOn with a monitor that is there before the process runs: one
// Down comes out of the channel, whatever becomes of it. stop takes the monitor back. A
// start that is given up, with ctx, is undone as soon as its node can be told.
func SpawnOnMonitored[Args any](ctx context.Context, n *Node, at name.Node, function string, args Args, options StartOptions) (ref name.Ref, down <-chan Down, stop func(), err error) {
	l, err := starting[Args](n)
	if err != nil {
		return ref, nil, nil, err
	}
	return l.processes.StartMonitored(ctx, at, function, args, options)
}

// starting is what starting something with such arguments begins with.
func starting[Args any](n *Node) (*life, error) {
	l, err := n.current()
	if err != nil {
		return nil, err
	}
	return l, process.Learn[Args](l.processes.Types())
}
