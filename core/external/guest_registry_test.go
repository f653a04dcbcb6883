package external

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/registry/index"
)

func books() registry.Factory {
	return plugin.Define("test", "a registry to test with", plugin.NoDefaults,
		func(env registry.Env, _ *plugin.NoSettings) (registry.Plugin, error) {
			return &oddRegistry{env: env, shown: index.New(env.Node)}, nil
		})
}

// oddRegistry does what the name of a service asks of it. What is broadcast to it is a
// service that another node offers.
type oddRegistry struct {
	env   registry.Env
	shown *index.Index

	mu    sync.Mutex
	heard []string
}

func (*oddRegistry) Start(context.Context) error { return nil }
func (*oddRegistry) Stop(context.Context) error  { return nil }

func (r *oddRegistry) Put(_ context.Context, e registry.Entry) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if strings.HasPrefix(e.Service.String(), "tired/") && r.env.Launch == 1 {
		standStill()
	}
	switch e.Service.String() {
	case "exit":
		os.Exit(7)
	case "stop":
		standStill()
	case "flood":
		for i := range 20_000 {
			r.tell(e.Service, e.Ref, map[string]string{"i": itoa(i)})
		}
	case "report":
		slices.Sort(r.heard)
		e.Meta = map[string]string{"heard": strings.Join(r.heard, ", "), "launch": fmt.Sprint(r.env.Launch)}
	}
	r.tell(e.Service, e.Ref, e.Meta)
	return nil
}

func standStill() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	select {} // the signal may take a moment
}

func (r *oddRegistry) tell(service name.Service, ref name.Ref, meta map[string]string) {
	e := registry.Entry{Service: service, Ref: ref, Meta: meta}
	r.shown.Apply(index.Change{Entry: e})
	r.env.Emit(registry.Event{Type: registry.Registered, Entry: e})
}

func (r *oddRegistry) Remove(_ context.Context, service name.Service, ref name.Ref, reason string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := registry.Entry{Service: service, Ref: ref}
	r.shown.Apply(index.Change{Entry: e, Remove: true})
	r.env.Emit(registry.Event{Type: registry.Unregistered, Entry: e, Reason: reason})
	return nil
}

func (r *oddRegistry) Lookup(service name.Service) []registry.Entry { return r.shown.Lookup(service) }
func (r *oddRegistry) List(prefix string) []registry.Count          { return r.shown.List(prefix) }

func (r *oddRegistry) Input(in registry.Input) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch in.Kind {
	case registry.Broadcast:
		r.tell(name.MustService(string(in.Data)), name.Ref{Node: in.Node, Incarnation: 1, ID: 1}, map[string]string{})
	case registry.PeerUp:
		r.heard = append(r.heard, "near "+in.Node.Base())
	case registry.Member:
		r.heard = append(r.heard, "up "+in.Node.Base())
	case registry.PeerDown, registry.Frame:
	}
}
