package core

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/core/block/process"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// fanOut is how many calls of one Multicall are under way at the same time.
const fanOut = 256

// Result is what came of one target of several.
type Result[T any] struct {
	Target Target
	Value  T
	Err    error // nil: Value is the answer
}

// Everywhere is the holder of a service name on each of the nodes.
func Everywhere(service name.Service, nodes []name.Node) []Target {
	targets := make([]Target, len(nodes))
	for i, node := range nodes {
		targets[i] = process.ToName(node, service)
	}
	return targets
}

// Alive lists the members that are alive, this node among them, by name.
func (n *Node) Alive() (nodes []name.Node) {
	for _, m := range n.Members() {
		if m.State == membership.Alive {
			nodes = append(nodes, m.Node)
		}
	}
	return nodes
}

// Multicall calls all targets at the same time and returns one result for each, in
// their order. Targets that have not answered when ctx ends have its error; what came
// before is there.
func Multicall[Req, Resp any](ctx context.Context, n *Node, targets []Target, req Req) []Result[Resp] {
	results := make([]Result[Resp], len(targets))
	slots := make(chan struct{}, fanOut)
	var all sync.WaitGroup
	for i, target := range targets {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			value, err := Call[Req, Resp](ctx, n, target, req)
			results[i] = Result[Resp]{target, value, err}
		})
	}
	all.Wait()
	return results
}

// Sort sorts results into answers by node and targets that failed.
func Sort[T any](results []Result[T]) (answers map[name.Node]T, failed []Target) {
	answers = map[name.Node]T{}
	for _, r := range results {
		if r.Err != nil {
			failed = append(failed, r.Target)
		} else {
			answers[r.Target.Node] = r.Value
		}
	}
	return answers, failed
}

// CastAll casts a value to all targets. The error is that of a value that cannot be sent.
func CastAll[T any](n *Node, targets []Target, value T) error {
	for _, target := range targets {
		if err := Cast(n, target, value); err != nil {
			return err
		}
	}
	return nil
}

// Future is an answer that is awaited. All methods may be called from any goroutine, as
// often as one likes.
type Future[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// Go makes a call and returns at once. The call ends with ctx.
func Go[Req, Resp any, A Address](ctx context.Context, n *Node, to A, req Req) *Future[Resp] {
	f := &Future[Resp]{done: make(chan struct{})}
	go func() {
		defer close(f.done)
		f.value, f.err = Call[Req, Resp](ctx, n, to, req)
	}()
	return f
}

// Wait waits for the answer; the error is that of the call, or of ctx.
func (f *Future[T]) Wait(ctx context.Context) (T, error) {
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// Try waits for at most d, and reports whether there is an answer.
func (f *Future[T]) Try(d time.Duration) (value T, there bool, err error) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-f.done:
		return f.value, true, f.err
	case <-timer.C:
		return value, false, nil
	}
}

// Bind makes a process reachable as NAME@NODE, without telling other nodes of the name.
// The binding ends with the process.
func (n *Node) Bind(service name.Service, ref name.Ref) error {
	l, err := n.current()
	if err != nil {
		return err
	}
	return l.processes.Bind(service, ref)
}

// Unbind takes a name from a process. No such binding is no error.
func (n *Node) Unbind(service name.Service, ref name.Ref) {
	if l, err := n.current(); err == nil {
		l.processes.Unbind(service, ref)
	}
}

var errNoVoters = errors.New("nobody to vote")
