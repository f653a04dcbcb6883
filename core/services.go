package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/barrelp2p/barrel/core/block/link"
	"github.com/barrelp2p/barrel/core/block/process"
	"github.com/barrelp2p/barrel/core/block/service"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// The words of services; see package core/block/service for what each means.
type (
	// Holder is what a registration is bound to: a process, as a rule.
	Holder = service.Holder
	// ServiceEvent is a change of what is visible of services on this node.
	ServiceEvent = registry.Event
	// Watcher follows the services whose names start with a prefix.
	Watcher = service.Watcher
	// WhereisOption says how Whereis chooses and how long it tries.
	WhereisOption = service.Option
	// Picker chooses one of several instances.
	Picker = service.Picker
)

// The errors of services that callers decide on; test with errors.Is.
var (
	ErrEnded        = service.ErrEnded
	ErrNotAllowed   = registry.ErrNotAllowed
	ErrMetaTooLarge = registry.ErrTooLarge
	ErrRegistryFull = registry.ErrFull
)

// Retries has Whereis look again, n times, and return early when the service comes.
func Retries(n int) WhereisOption { return service.Retries(n) }

// By has a picker choose among the instances: Least, Random, RoundRobin, Sticky.
func By(p Picker) WhereisOption { return service.By(p) }

// Least picks the instance with the smallest number under a key of its metadata.
func Least(key string) Picker { return service.Least(key) }

// Random picks any instance.
func Random() Picker { return service.Random() }

// RoundRobin picks one instance after another.
func RoundRobin() Picker { return service.RoundRobin() }

// Sticky picks the same instance for the same key as long as it is there.
func Sticky(key string) Picker { return service.Sticky(key) }

// Registration is a service that this node offers: Update changes its metadata in place,
// Until bounds its life, Done says that it is over.
type Registration struct {
	*service.Registration
	proc *process.Process // made for it, and ends with it; nil: it is bound to another
}

// Close takes the service back, and ends the process that Register made for it.
// Idempotent; after the node has stopped there is nothing to do.
func (r *Registration) Close() error {
	err := r.Registration.Close()
	if r.proc != nil {
		r.proc.Stop()
	}
	return err
}

// Offer registers a process that there is already. The service is gone when the process
// ends, and all nodes hear why; ctx bounds the registering only.
func (n *Node) Offer(ctx context.Context, service name.Service, meta map[string]string, holder Holder) (*Registration, error) {
	l, err := n.current()
	if err != nil {
		return nil, err
	}
	r, err := l.services.Register(ctx, service, meta, holder)
	if err != nil {
		return nil, err
	}
	return &Registration{Registration: r}, nil
}

// Unregister takes back every registration of a name on this node. No registration is no
// error.
func (n *Node) Unregister(service name.Service) error {
	l, err := n.current()
	if err != nil {
		return err
	}
	_, err = l.services.Unregister(service)
	return err
}

// LookupLocal lists the instances of a service on this node.
func (n *Node) LookupLocal(service name.Service) []registry.Entry {
	l, err := n.current()
	if err != nil {
		return nil
	}
	return l.services.LookupLocal(service)
}

// List lists the names of services that start with prefix, and how many instances each
// has: "chat_room/" is all chat rooms.
func (n *Node) List(prefix string) []registry.Count {
	l, err := n.current()
	if err != nil {
		return []registry.Count{}
	}
	return l.services.List(prefix)
}

// Whereis is one instance of a service: of this node if it has one, else the nearest by
// round-trip time. For a name that is known it is a read of memory; on a miss the
// neighbours are asked. The error is ErrNotFound, registry.ErrBusy or that of ctx.
func (n *Node) Whereis(ctx context.Context, service name.Service, options ...WhereisOption) (registry.Entry, error) {
	l, err := n.current()
	if err != nil {
		return registry.Entry{}, err
	}
	return l.services.Whereis(ctx, service, options...)
}

// Watch follows the services whose names start with prefix, "" being all: first what is
// there, as registered, then Synced, then what happens. It must be closed, and ends with
// the life of the node.
func (n *Node) Watch(prefix string) (*Watcher, error) {
	l, err := n.current()
	if err != nil {
		return nil, err
	}
	return l.services.Watch(prefix), nil
}

// Synced is the type of the event that ends the initial state of a Watcher.
const Synced = service.Synced

// Service is a handle on a name: messages go to one instance as long as it is there, and
// to another when it is not, or when its node cannot be linked to. All methods are safe for concurrent use.
type Service struct {
	node    *Node
	name    name.Service
	options []WhereisOption
	now     atomic.Pointer[registry.Entry]
}

// Service is a handle on a name. The options say which instance is chosen each time that
// one has to be. Nothing needs to be registered yet.
func (n *Node) Service(service name.Service, options ...WhereisOption) *Service {
	return &Service{node: n, name: service, options: options}
}

// Name is the name of the service.
func (s *Service) Name() name.Service { return s.name }

// Instance is the one that messages go to now; another if that one has gone.
func (s *Service) Instance(ctx context.Context) (registry.Entry, error) { return s.instance(ctx, nil) }

// instance passes over those that have turned out to be out of reach.
func (s *Service) instance(ctx context.Context, passed []name.Ref) (registry.Entry, error) {
	if e := s.now.Load(); e != nil && s.visible(e) {
		return *e, nil
	}
	options := s.options
	if len(passed) > 0 {
		options = append(slices.Clone(options), service.Without(passed...))
	}
	e, err := s.node.Whereis(ctx, s.name, options...)
	if err == nil {
		s.now.Store(&e)
	}
	return e, err
}

func (s *Service) visible(e *registry.Entry) bool {
	for _, other := range s.node.Lookup(s.name) {
		if other.Ref == e.Ref {
			return true
		}
	}
	return false
}

// tries is with how many instances a handle tries, each of which turns out to be out of
// reach.
const tries = 3

// do does something with an instance. One that has ended before it could be reached, or
// whose node cannot be linked to, is forgotten, and another tried: nothing was delivered to
// it, so nothing is done twice.
func (s *Service) do(ctx context.Context, what func(l *life, ref name.Ref) error) (err error) {
	var passed []name.Ref
	var unlinked error
	for range tries {
		e, none := s.instance(ctx, passed)
		if none != nil {
			return cmp.Or(unlinked, none)
		}
		l, dead := s.node.current()
		if dead != nil {
			return dead
		}
		err = what(l, e.Ref)
		switch {
		case notLinked(err, e.Ref.Node):
			unlinked = err
		case !errors.Is(err, ErrNoProcess):
			return err
		}
		passed = append(passed, e.Ref)
		s.now.Store(nil)
	}
	return fmt.Errorf("service %s: %d instances are out of reach: %w", s.name, tries, err)
}

// notLinked reports whether nothing was sent to a node because no link could be made.
func notLinked(err error, node name.Node) bool {
	var dial *link.DialError
	return errors.As(err, &dial) && dial.Node == node
}

// Call sends a message and waits for the answer. See Node.Call for the errors.
func (s *Service) Call(ctx context.Context, payload []byte) (answer []byte, err error) {
	err = s.do(ctx, func(l *life, ref name.Ref) error {
		out, err := l.call(ctx, process.ToRef(ref), payload)
		answer = l.processes.Types().Bytes(out)
		return err
	})
	return answer, err
}

// Send puts a message on its way: see Node.Send.
func (s *Service) Send(ctx context.Context, payload []byte) error {
	return s.do(ctx, func(l *life, ref name.Ref) error { return l.send(ctx, process.ToRef(ref), payload) })
}

// Deliver is Send that waits until the message is in the mailbox.
func (s *Service) Deliver(ctx context.Context, payload []byte) error {
	return s.do(ctx, func(l *life, ref name.Ref) error { return l.deliver(ctx, process.ToRef(ref), payload) })
}

// WithServicePolicy sets who may register a name: a node whose registration it refuses is
// refused here, and not believed from elsewhere. It is called with the name and the node
// that registers it, must be quick and always say the same. Without it everybody may
// register everything.
func WithServicePolicy(policy func(service name.Service, owner name.Node) error) Option {
	return func(o *options) { o.policy = policy }
}

// addServices makes the block of names.
func (l *life) addServices() {
	l.services = service.New(service.Config{
		Node: l.name, Registry: l.registry, Bind: l.processes.Bind, Unbind: l.processes.Unbind,
		Distances: l.distances.now, Tasks: l.kernel.Tasks(partService), Log: limited(l.log.With("part", partService)),
	})
	l.add(partService, l.services, partProcess, l.parts.registry)
}
