package core

import (
	"context"
	"time"

	"github.com/barrelp2p/barrel/core/block/process"
	"github.com/barrelp2p/barrel/core/kernel"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// The words of processes. A process is a goroutine with a mailbox and a reference; see
// package core/block/process for what each word means.
type (
	// Spec says what a process is.
	Spec = process.Spec
	// Body is what a process does.
	Body = process.Body
	// Self is a process as it sees itself.
	Self = process.Self
	// Process is a process as others on its node have it.
	Process = process.Process
	// Down is what comes of a monitor.
	Down = process.Down
	// Exit is what a process that traps exits gets.
	Exit = process.Exit
	// NodeUp and NodeDown come to a process that watches nodes.
	NodeUp = process.NodeUp
	// NodeDown is its other half.
	NodeDown = process.NodeDown
	// DeadLetter is a message that could not be delivered.
	DeadLetter = process.DeadLetter
)

// What becomes of messages for a mailbox that is full.
const (
	Block  = process.Block
	Refuse = process.Refuse
)

// Spawn starts a process on this node:
//
//	proc, err := node.Spawn(core.Spec{Run: func(ctx context.Context, self *core.Self) error {
//		said, m, err := core.Receive[string](ctx, self)
//		...
//	}})
func (n *Node) Spawn(spec Spec) (*Process, error) {
	l, err := n.current()
	if err != nil {
		return nil, err
	}
	if spec.Mailbox == 0 {
		spec.Mailbox = l.node.cfg.Messages.Mailbox
	}
	return l.processes.Spawn(spec)
}

// Receive takes the first message whose payload is a T out of the mailbox; others stay.
func Receive[T any](ctx context.Context, self *Self) (T, Message, error) {
	return process.Receive[T](ctx, self)
}

// As is the payload of a message as a T; the error wraps ErrBadPayload.
func As[T any](m Message) (T, error) { return process.As[T](m) }

// Is reports whether the payload of a message is a T.
func Is[T any](m Message) bool { return process.Is[T](m) }

// ReasonText is the reason of an end in the words that people know: normal, killed,
// noproc, noconnection, shutdown, or the text of the error.
func ReasonText(reason error) string { return process.ReasonText(reason) }

// AddType makes T known to the node under a name, which other nodes use too, so that
// its values can be sent as what they are, also inside fields whose type is an
// interface. It is kept over restarts; nothing needs to run.
func AddType[T any](n *Node, typeName string) error {
	var sample T
	return n.types.Add(typeName, sample)
}

// AddError makes an error known to the node under a name, so that callers elsewhere, who
// have added it too, find it with errors.Is in what a handler here returned.
func (n *Node) AddError(errorName string, err error) error { return n.types.AddError(errorName, err) }

// Monitor watches a process: when it has ended, or there is none, or its node is gone,
// one Down comes out of the channel. stop takes the monitor back. ctx bounds the dial
// that may be needed.
func Monitor[A Address](ctx context.Context, n *Node, who A) (down <-chan Down, stop func(), err error) {
	l, err := n.current()
	if err != nil {
		return nil, nil, err
	}
	target, err := To(who)
	if err == nil {
		target, err = l.resolve(ctx, target)
	}
	if err != nil {
		return nil, nil, err
	}
	down, stop = l.processes.Monitor(ctx, target)
	return down, stop, nil
}

// Exit sends an exit signal to a process: it ends with the reason, or gets an Exit if it
// traps exits. A nil reason ends nobody.
func (n *Node) Exit(ctx context.Context, ref name.Ref, reason error) error {
	l, err := n.current()
	if err != nil {
		return err
	}
	return l.processes.Exit(ctx, ref, reason)
}

// Kill ends a process, whatever it does about it; for others it has ended at once.
func (n *Node) Kill(ctx context.Context, ref name.Ref) error {
	l, err := n.current()
	if err != nil {
		return err
	}
	return l.processes.Kill(ctx, ref)
}

// Nodes lists the nodes with a link to this one: the members of the cluster among them,
// or those that are hidden, which send and call and are no members.
func (n *Node) Nodes(hidden bool) []name.Node {
	l, err := n.current()
	if err != nil {
		return nil
	}
	return l.processes.Nodes(hidden)
}

// DeadLetters counts the messages of this life that could not be delivered and had
// nobody to tell, by reason.
func (n *Node) DeadLetters() map[string]uint64 {
	l, err := n.current()
	if err != nil {
		return nil
	}
	return l.processes.DeadLetters()
}

// SubscribeDead returns the dead letters from now on, with how many were lost before each
// because the reader was too slow. It must be closed; it ends with the life of the node.
func (n *Node) SubscribeDead() (*kernel.Subscription[DeadLetter], error) {
	l, err := n.current()
	if err != nil {
		return nil, err
	}
	return l.letters.Subscribe(subscriptionSize), nil
}

// onDeadLetter passes a dead letter on to those who asked for them, and some to those
// who watch events: a flood must not hide everything else.
func (l *life) onDeadLetter(d DeadLetter) {
	l.letters.Publish(d)
	if !l.dead.limit.Allow() {
		l.dead.suppressed.Add(1)
		return
	}
	extra := map[string]string{"from": d.From.String(), "to": d.To.String()}
	if d.Count > 1 {
		extra["count"] = formatUint(d.Count)
	}
	if n := l.dead.suppressed.Swap(0); n > 0 {
		extra["suppressed"] = formatUint(n)
	}
	l.events.Publish(Event{Time: time.Now().UTC(), Kind: "message", Type: "dead", Node: d.To.Node, Reason: d.Reason.Error(), Extra: extra})
}
