package core_test

import (
	"context"
	"errors"
	"testing"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
	registryormap "github.com/barrelp2p/barrel/plugins/registry-ormap"
)

// haunted is a registry that shows an instance on a node that has just lost its power,
// which has not been noticed yet.
type haunted struct {
	registry.Plugin
	ghost registry.Entry
}

func (h *haunted) Lookup(service name.Service) []registry.Entry {
	list := h.Plugin.Lookup(service)
	if service == h.ghost.Service {
		list = append([]registry.Entry{h.ghost}, list...)
	}
	return list
}

func withGhost(service, node string) core.Option {
	factory := registryormap.Factory()
	ghost := registry.Entry{Service: name.MustService(service), Ref: name.Ref{Node: name.MustNode(node), Incarnation: 1, ID: 1}}
	return core.WithRegistry("ormap", func(env registry.Env) (registry.Plugin, error) {
		p, err := factory.New(env, factory.Settings())
		return &haunted{p, ghost}, err
	})
}

// What could not be sent, because the node of an instance cannot be linked to, goes to
// another instance; if there is none, the error says why.
func TestAHandleLeavesWhatCannotBeReached(t *testing.T) {
	first := core.By(func([]registry.Entry) int { return 0 })
	for what, sets := range map[string][]string{
		"nobody knows where it is": nil,
		"nobody answers there":     {"discovery.use=[file, static]", `discovery.static.nodes={ghost@127.0.0.1: ["127.0.0.1:9"]}`},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			f := newField(t)
			a := f.run(f.make(f.load("a@127.0.0.1", t.TempDir(), sets...), withGhost("s", "ghost@127.0.0.1")))
			b := f.start("b@127.0.0.1")
			f.join(b, a)
			s := a.Service(name.MustService("s"), first)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if _, err := s.Call(ctx, nil); !errors.Is(err, core.ErrNoConnection) || errors.Is(err, core.ErrNotFound) {
				t.Errorf("the only instance cannot be reached: %v", err)
			}
			answering(t, b, "s", nil)
			eventually(t, "the other is seen", seesAt(a, "s", 2))
			if got, err := s.Call(ctx, nil); err != nil || string(got) != b.Name().String() {
				t.Errorf("called: %q, %v", got, err)
			}
			if e, err := s.Instance(ctx); err != nil || e.Ref.Node != b.Name() {
				t.Errorf("the handle is at %+v, %v", e, err)
			}
		})
	}
}
