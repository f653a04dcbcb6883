package core

import (
	"context"
	"fmt"

	"github.com/barrelp2p/barrel/core/block/process"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// Target is whom a message is for: a process by its reference, the holder of a service
// name on one node, or, without a node, whoever in the cluster offers the service.
type Target = process.Target

// Address is how callers may write a Target: as text that ParseTarget reads, as the
// reference of a process, as the name of a service, or as a Target.
type Address interface {
	string | name.Ref | name.Service | Target
}

// To is the target that an address means.
func To[A Address](address A) (Target, error) {
	switch a := any(address).(type) {
	case string:
		return ParseTarget(a)
	case name.Ref:
		return process.ToRef(a), nil
	case name.Service:
		return Target{Service: a}, nil
	case Target:
		return a, nil
	}
	return Target{}, fmt.Errorf("target of type %T", address) // Address allows no other
}

// Handle makes a Handler of a function with types of its own. A payload that is no Req
// is answered with ErrBadPayload.
func Handle[Req, Resp any](f func(ctx context.Context, req Req) (Resp, error)) Handler {
	return process.Handle(f)
}

// Call sends a request to a process and waits for the answer:
//
//	sum, err := core.Call[[]int, int](ctx, node, "sum", []int{1, 2, 3})
//
// It may be called from any goroutine. The deadline of ctx crosses the wire and ends
// the handler's context. A request to a process of this node goes over as it is and is
// shared with it; to another node it is encoded: CBOR for most types, protobuf for
// proto.Message, bytes as they are. The errors are those of Node.Call, and
// ErrUnknownType for a value that cannot travel, ErrBadPayload for one that the other
// side did not expect.
func Call[Req, Resp any, A Address](ctx context.Context, n *Node, to A, req Req) (Resp, error) {
	var resp Resp
	l, target, err := reach[Req](n, to)
	if err != nil {
		return resp, err
	}
	out, err := l.call(ctx, target, req)
	if err != nil {
		return resp, err
	}
	return process.Convert[Resp](l.processes.Types(), out)
}

// Send puts a value on its way to a process. It waits, as long as ctx lasts, for a
// receiver that has too much to do. Without an error the value is delivered at most
// once, and is a dead letter if it cannot be.
func Send[T any, A Address](ctx context.Context, n *Node, to A, value T) error {
	l, target, err := reach[T](n, to)
	if err != nil {
		return err
	}
	return l.send(ctx, target, value)
}

// Cast is Send that waits for nobody: a value for which there is no room is a dead
// letter. An error means that it could not be sent at all.
func Cast[T any, A Address](n *Node, to A, value T) error {
	l, target, err := reach[T](n, to)
	if err != nil {
		return err
	}
	return l.cast(target, value)
}

// Deliver is Send that waits until the value is in the mailbox.
func Deliver[T any, A Address](ctx context.Context, n *Node, to A, value T) error {
	l, target, err := reach[T](n, to)
	if err != nil {
		return err
	}
	return l.deliver(ctx, target, value)
}

// reach is what every way of sending a T begins with.
func reach[T any, A Address](n *Node, to A) (*life, Target, error) {
	l, err := n.current()
	if err != nil {
		return nil, Target{}, err
	}
	target, err := To(to)
	if err != nil {
		return nil, target, err
	}
	return l, target, process.Learn[T](l.processes.Types())
}
