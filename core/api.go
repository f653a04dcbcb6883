package core

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// ErrNotRunning: the node has not been started, or has stopped.
var ErrNotRunning = errors.New("node is not running")

// current is the life that the node is in.
func (n *Node) current() (*life, error) {
	if l := n.live.Load(); l != nil {
		return l, nil
	}
	return nil, fmt.Errorf("node %s: %w", n.name, ErrNotRunning)
}

// Register offers a service under a name, with metadata for those who look for it. Any
// node may offer any name. handle answers calls and takes messages, one by one unless
// Concurrency says otherwise. The service is gone when the Registration is closed or
// the node stops; ctx bounds the registering only.
func (n *Node) Register(ctx context.Context, service name.Service, meta map[string]string, handle Handler, opts ...RegisterOption) (*Registration, error) {
	l, err := n.current()
	if err != nil {
		return nil, err
	}
	return l.register(ctx, service, meta, handle, opts...)
}

// Call sends bytes to a target and waits for the answer. A target is the name of a
// service, NAME@NODE for a service of one node, or a reference; see ParseTarget. The
// deadline of ctx crosses the wire. Errors that callers decide on: ErrNotFound,
// ErrNoProcess, ErrNoConnection, ErrPanicked, ErrTooLarge, ErrBusy, ErrTimeout (at the
// other end), ErrStopped (either end), those of ctx, and *RemoteError for what the
// handler returned. Call without a receiver is the same with types.
func (n *Node) Call(ctx context.Context, target string, payload []byte) ([]byte, error) {
	l, err := n.current()
	if err != nil {
		return nil, err
	}
	to, err := ParseTarget(target)
	if err != nil {
		return nil, err
	}
	out, err := l.call(ctx, to, payload)
	return l.processes.Types().Bytes(out), err
}

// Send puts a message on its way to a target. An error means that it was not sent;
// without one it is delivered at most once, and counted as a dead letter if it cannot
// be.
func (n *Node) Send(ctx context.Context, target string, payload []byte) error {
	l, err := n.current()
	if err != nil {
		return err
	}
	to, err := ParseTarget(target)
	if err != nil {
		return err
	}
	return l.send(ctx, to, payload)
}

// Deliver is Send that waits until the message is in the mailbox of the target.
func (n *Node) Deliver(ctx context.Context, target string, payload []byte) error {
	l, err := n.current()
	if err != nil {
		return err
	}
	to, err := ParseTarget(target)
	if err != nil {
		return err
	}
	return l.deliver(ctx, to, payload)
}

// Lookup lists the instances of a service that this node knows, its own first.
func (n *Node) Lookup(service name.Service) []registry.Entry {
	l, err := n.current()
	if err != nil {
		return nil
	}
	return l.registry.Lookup(service)
}

// Members lists every member of the cluster that this node knows, itself included.
func (n *Node) Members() []membership.Member {
	l, err := n.current()
	if err != nil {
		return nil
	}
	return l.membership.Members()
}

// View is the neighbours of this node and the members it keeps in reserve.
func (n *Node) View() membership.View {
	l, err := n.current()
	if err != nil {
		return membership.View{}
	}
	return l.membership.View()
}

// Join enters the cluster through a node, and ends what Leave began.
func (n *Node) Join(ctx context.Context, through name.Node) error {
	l, err := n.current()
	if err != nil {
		return err
	}
	return l.join(ctx, through)
}

// Leave leaves the cluster in good order and stays out until Join is called.
func (n *Node) Leave(ctx context.Context) error {
	l, err := n.current()
	if err != nil {
		return err
	}
	return l.leave(ctx)
}

// Ping measures one round trip to a node, opening a link on demand.
func (n *Node) Ping(ctx context.Context, node name.Node) (time.Duration, error) {
	l, err := n.current()
	if err != nil {
		return 0, err
	}
	return l.links.Ping(ctx, node)
}

// Disconnect closes the link to a node, after what was sent before. On both sides the
// processes that monitor nodes, or processes of the other, are told, and calls that wait
// fail with ErrNoConnection. The node stays a member: what is sent to it next links
// again, and so does membership if it needs the link. ErrNoLink without a link.
func (n *Node) Disconnect(node name.Node) error {
	l, err := n.current()
	if err != nil {
		return err
	}
	if _, linked := l.links.Peer(node); !linked {
		return fmt.Errorf("disconnect %s: %w", node, ErrNoLink)
	}
	l.links.Disconnect(node, transport.CloseDropped, "its program asked for it")
	return nil
}

// Addresses is where peers can dial this node, best first; empty before Start.
func (n *Node) Addresses() []name.Address {
	l, err := n.current()
	if err != nil {
		return nil
	}
	return l.transport.Addresses()
}

// Admin is the node as its control socket sees it; the error is ErrNotRunning.
func (n *Node) Admin() (admin.Node, error) {
	l, err := n.current()
	if err != nil {
		return nil, err
	}
	return control{l}, nil
}
