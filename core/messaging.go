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

// Handler does the work of a service. What it returns answers a call. See Handle for
// one with types of its own.
type Handler = process.Handler

// ErrLater is what a Handler returns that answers at another time, by Message.Reply.
var ErrLater = process.ErrLater

// The errors of calls and sends that callers decide on; test with errors.Is.
var (
	ErrNoProcess    = process.ErrNoProcess
	ErrNoConnection = process.ErrNoConnection
	ErrPanicked     = process.ErrPanicked
	ErrTooLarge     = process.ErrTooLarge
	ErrBusy         = process.ErrBusy
	ErrTimeout      = process.ErrTimeout
	ErrStopped      = process.ErrStopped
	ErrUnknownType  = process.ErrUnknownType
	ErrBadPayload   = process.ErrBadPayload
	ErrKilled       = process.ErrKilled
	ErrShutdown     = process.ErrShutdown
	ErrDenied       = process.ErrDenied
	ErrInDoubt      = process.ErrInDoubt
	ErrNotFound     = registry.ErrNotFound
)

// RemoteError is what a handler returned, as its caller sees it.
type RemoteError = process.RemoteError

// RegisterOption changes how a service is run.
type RegisterOption func(*process.Spec)

// Concurrency lets a service handle n messages at the same time, which gives up their
// order. Without it they are handled one by one.
func Concurrency(n int) RegisterOption { return func(s *process.Spec) { s.Workers = n } }

// Mailbox sets how many messages may wait for a service, and what becomes of others;
// without it messages.mailbox may wait, and senders wait for room.
func Mailbox(n int, policy process.Policy) RegisterOption {
	return func(s *process.Spec) { s.Mailbox, s.Policy = n, policy }
}

func (l *life) register(ctx context.Context, service name.Service, meta map[string]string, handle Handler, opts ...RegisterOption) (*Registration, error) {
	spec := process.Spec{Handle: handle, Mailbox: l.node.cfg.Messages.Mailbox}
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

// resolve finds the process behind the name of a service, unless a node is named.
func (l *life) resolve(ctx context.Context, to Target) (Target, error) {
	if !to.Node.IsZero() {
		return to, nil
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

// resolveNow is resolve from memory, for those who wait for nothing.
func (l *life) resolveNow(to Target) (Target, error) {
	if !to.Node.IsZero() {
		return to, nil
	}
	found := l.services.Lookup(to.Service)
	if len(found) == 0 {
		return to, fmt.Errorf("service %s: nobody that this node knows offers it: %w", to.Service, ErrNotFound)
	}
	return process.ToRef(found[0].Ref), nil
}

func (l *life) call(ctx context.Context, to Target, value any) (any, error) {
	to, err := l.resolve(ctx, to)
	if err != nil {
		return nil, err
	}
	if to.Node != l.name {
		defer l.holds.call(to.Node)() // the link, however long the answer takes
	}
	return l.processes.Call(ctx, to, value)
}

func (l *life) send(ctx context.Context, to Target, value any) error {
	to, err := l.resolve(ctx, to)
	if err != nil {
		return err
	}
	return l.processes.Send(ctx, to, value)
}

func (l *life) cast(to Target, value any) error {
	to, err := l.resolveNow(to)
	if err != nil {
		return err
	}
	return l.processes.Cast(to, value)
}

func (l *life) deliver(ctx context.Context, to Target, value any) error {
	to, err := l.resolve(ctx, to)
	if err != nil {
		return err
	}
	if to.Node != l.name {
		defer l.holds.call(to.Node)()
	}
	return l.processes.Deliver(ctx, to, value)
}

// ParseTarget reads a target: NAME (a service, Node is zero then), NAME@NODE with NODE
// as name@host, or a reference. The three differ in how many @ they have.
func ParseTarget(text string) (Target, error) {
	switch strings.Count(text, "@") {
	case 0:
		service, err := name.ParseService(text)
		return Target{Service: service}, err
	case 1:
		ref, err := name.ParseRef(text)
		if err != nil {
			return Target{}, fmt.Errorf("%w; write NAME, NAME@NODE with NODE as name@host, or a reference", err)
		}
		return process.ToRef(ref), nil
	}
	service, node, _ := strings.Cut(text, "@")
	s, err := name.ParseService(service)
	if err != nil {
		return Target{}, err
	}
	at, err := name.ParseNode(node)
	return process.ToName(at, s), err
}
