package core

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/barrelp2p/barrel/core/block/process"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// Message is what a handler gets.
type Message = process.Message

// Handler does the work of a service. What it returns answers a call.
type Handler = process.Handler

// The errors of Call and Send that callers decide on; test with errors.Is.
var (
	ErrNoProcess    = process.ErrNoProcess
	ErrNoConnection = process.ErrNoConnection
	ErrPanicked     = process.ErrPanicked
	ErrTooLarge     = process.ErrTooLarge
	ErrBusy         = process.ErrBusy
	ErrTimeout      = process.ErrTimeout
	ErrStopped      = process.ErrStopped
	ErrNotFound     = registry.ErrNotFound
)

// RemoteError is what a handler returned, as its caller sees it.
type RemoteError = process.RemoteError

// RegisterOption changes how a service is run.
type RegisterOption func(*process.Spec)

// Concurrency lets a service handle n messages at the same time, which gives up their
// order. Without it they are handled one by one.
func Concurrency(n int) RegisterOption { return func(s *process.Spec) { s.Workers = n } }

func (l *life) register(ctx context.Context, service name.Service, meta map[string]string, handle Handler, opts ...RegisterOption) (*Registration, error) {
	spec := process.Spec{Handle: handle}
	for _, opt := range opts {
		opt(&spec)
	}
	proc, err := l.processes.Spawn(spec)
	if err != nil {
		return nil, fmt.Errorf("register %s: %w", service, err)
	}
	r, err := l.services.Register(ctx, service, meta, proc)
	if err != nil {
		proc.Stop()
		return nil, err
	}
	l.tasks.Go("registration", func(ctx context.Context) {
		select {
		case <-r.Done():
			proc.Stop()
		case <-ctx.Done():
		}
	})
	return &Registration{Registration: r, proc: proc}, nil
}

func (l *life) resolveTarget(ctx context.Context, text string) (process.Target, error) {
	to, err := ParseTarget(text)
	if err != nil || !to.Node.IsZero() {
		return to, err
	}
	found, err := l.services.Whereis(ctx, to.Service)
	switch {
	case errors.Is(err, ErrNotFound):
		return to, fmt.Errorf("service %s: nobody that this node knows offers it; name the node, as %s@NODE: %w", to.Service, to.Service, ErrNotFound)
	case err != nil:
		return to, err
	}
	return process.ToRef(found.Ref), nil
}

func (l *life) call(ctx context.Context, target string, payload []byte) ([]byte, error) {
	to, err := l.resolveTarget(ctx, target)
	if err != nil {
		return nil, err
	}
	defer l.awaiting(to.Node)()
	return l.processes.Call(ctx, to, payload)
}

// awaiting keeps the link to a node while an answer is awaited.
func (l *life) awaiting(node name.Node) (over func()) {
	if node == l.name {
		return func() {}
	}
	return l.holds.call(node)
}

func (l *life) send(ctx context.Context, target string, payload []byte) error {
	to, err := l.resolveTarget(ctx, target)
	if err != nil {
		return err
	}
	return l.processes.Send(ctx, to, payload)
}

func (l *life) deliver(ctx context.Context, target string, payload []byte) error {
	to, err := l.resolveTarget(ctx, target)
	if err != nil {
		return err
	}
	defer l.awaiting(to.Node)()
	return l.processes.Deliver(ctx, to, payload)
}

// ParseTarget reads a target: NAME (a service, Node is zero then), NAME@NODE with NODE
// as name@host, or a reference. The three differ in how many @ they have.
func ParseTarget(text string) (process.Target, error) {
	switch strings.Count(text, "@") {
	case 0:
		service, err := name.ParseService(text)
		return process.Target{Service: service}, err
	case 1:
		ref, err := name.ParseRef(text)
		if err != nil {
			return process.Target{}, fmt.Errorf("%w; write NAME, NAME@NODE with NODE as name@host, or a reference", err)
		}
		return process.ToRef(ref), nil
	}
	service, node, _ := strings.Cut(text, "@")
	s, err := name.ParseService(service)
	if err != nil {
		return process.Target{}, err
	}
	at, err := name.ParseNode(node)
	return process.ToName(at, s), err
}
