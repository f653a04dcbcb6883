package core

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/core/block/process"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
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
	ErrNotFound     = registry.ErrNotFound
)

// RemoteError is what a handler returned, as its caller sees it.
type RemoteError = process.RemoteError

// Registration is a service that this node offers.
type Registration struct {
	life    *life
	service name.Service
	proc    *process.Process
	meta    map[string]string
	since   time.Time
	once    sync.Once
}

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
	r := &Registration{life: l, service: service, proc: proc, meta: maps.Clone(meta), since: time.Now().UTC()}
	err = l.registry.Put(ctx, registry.Entry{Service: service, Ref: proc.Ref(), Meta: r.meta, Since: r.since})
	if err == nil {
		err = l.processes.Bind(service, proc.Ref())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("register %s: %w", service, err), r.Close())
	}
	l.tasks.Go("registration", r.watch)
	return r, nil
}

// watch takes the service back when its process has ended by other means.
func (r *Registration) watch(ctx context.Context) {
	select {
	case <-r.proc.Done():
		if err := r.Close(); err != nil {
			r.life.log.Warn("service not taken back", "service", r.service, "error", err)
		}
	case <-ctx.Done():
	}
}

// Ref is the reference of the process behind the service.
func (r *Registration) Ref() name.Ref { return r.proc.Ref() }

// Close takes the service back. Idempotent; after the node has stopped there is nothing
// to do.
func (r *Registration) Close() (err error) {
	r.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeTime)
		defer cancel()
		err = r.life.registry.Remove(ctx, r.service, r.proc.Ref())
		if isAny(err, registry.ErrNotFound, plugin.ErrGone) {
			err = nil // it was never put, or the node has stopped
		}
		r.proc.Stop()
	})
	return err
}

const closeTime = 5 * time.Second

// resolve finds the process behind the name of a service, unless a node is named.
func (l *life) resolve(to Target) (Target, error) {
	if !to.Node.IsZero() {
		return to, nil
	}
	found := l.registry.Lookup(to.Service)
	if len(found) == 0 {
		return to, fmt.Errorf("service %s: nobody that this node knows offers it; name the node, as %s@NODE: %w", to.Service, to.Service, ErrNotFound)
	}
	return process.ToRef(found[0].Ref), nil
}

func (l *life) call(ctx context.Context, to Target, value any) (any, error) {
	to, err := l.resolve(to)
	if err != nil {
		return nil, err
	}
	if to.Node != l.name {
		defer l.holds.call(to.Node)() // the link, however long the answer takes
	}
	return l.processes.Call(ctx, to, value)
}

func (l *life) send(ctx context.Context, to Target, value any) error {
	to, err := l.resolve(to)
	if err != nil {
		return err
	}
	return l.processes.Send(ctx, to, value)
}

func (l *life) cast(to Target, value any) error {
	to, err := l.resolve(to)
	if err != nil {
		return err
	}
	return l.processes.Cast(to, value)
}

func (l *life) deliver(ctx context.Context, to Target, value any) error {
	to, err := l.resolve(to)
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
