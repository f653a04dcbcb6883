package discoverystatic

import (
	"errors"
	"testing"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
)

func TestConformance(t *testing.T) {
	plugintest.Discovery(t, plugintest.DiscoveryHarness{New: create})
}

func create(t plugintest.T, env plugin.Env, known map[name.Node][]name.Address) discovery.Plugin {
	t.Helper()
	p, err := Factory().New(env, &Settings{Nodes: known})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return p
}

func TestReloadReplacesTheWholeTable(t *testing.T) {
	a, b := name.MustNode("a@h"), name.MustNode("b@h")
	one, two := name.MustAddress("10.0.0.1:9100"), name.MustAddress("10.0.0.2:9100")
	p := create(t, plugintest.Env(t, "self@h"), map[name.Node][]name.Address{a: {one}})

	fresh := map[name.Node][]name.Address{b: {two, one}}
	if err := p.(plugin.Reloader).Reload(t.Context(), &Settings{Nodes: fresh}); err != nil {
		t.Fatal(err)
	}
	fresh[a] = []name.Address{one} // the table must not be the caller's map

	if _, err := p.Lookup(t.Context(), a); !errors.Is(err, discovery.ErrNotFound) {
		t.Errorf("a is gone from the table, Lookup says %v", err)
	}
	answer, err := p.Lookup(t.Context(), b)
	if err != nil || len(answer.Endpoints) != 2 || answer.Endpoints[0] != two {
		t.Errorf("b: %v, %v", answer, err)
	}
}

func TestReloadWithOtherSettingsChangesNothing(t *testing.T) {
	a := name.MustNode("a@h")
	p := create(t, plugintest.Env(t, "self@h"), map[name.Node][]name.Address{a: {name.MustAddress("h:1")}})
	if err := p.(plugin.Reloader).Reload(t.Context(), &plugin.NoSettings{}); err == nil {
		t.Error("settings of another type were accepted")
	}
	if _, err := p.Lookup(t.Context(), a); err != nil {
		t.Errorf("the old table is gone: %v", err)
	}
}

func TestListIsComplete(t *testing.T) {
	p := create(t, plugintest.Env(t, "self@h"), nil)
	listing, err := p.(discovery.Lister).List(t.Context())
	if err != nil || !listing.Complete || listing.Records == nil || len(listing.Records) != 0 {
		t.Errorf("empty table: %+v, %v", listing, err)
	}
}

func TestValidate(t *testing.T) {
	good := []name.Address{name.MustAddress("10.0.0.1:9100")}
	tests := []struct {
		name  string
		nodes map[name.Node][]name.Address
		paths []string
	}{
		{"nothing", nil, nil},
		{"good", map[name.Node][]name.Address{name.MustNode("a@h"): good}, nil},
		{"empty lists, in order", map[name.Node][]name.Address{
			name.MustNode("b@h"): {}, name.MustNode("a@[fd00::1]"): nil, name.MustNode("c@h"): good,
		}, []string{"nodes.a@[fd00::1]", "nodes.b@h"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			problems := (&Settings{Nodes: test.nodes}).Validate()
			if len(problems) != len(test.paths) {
				t.Fatalf("problems %v, want paths %v", problems, test.paths)
			}
			for i, p := range problems {
				if p.Path != test.paths[i] || p.Text == "" || p.Hint == "" {
					t.Errorf("problem %+v, want path %q", p, test.paths[i])
				}
			}
		})
	}
}

func TestDefaultsAreFresh(t *testing.T) {
	first := Factory().Settings().(*Settings)
	first.Nodes[name.MustNode("a@h")] = nil
	if second := Factory().Settings().(*Settings); len(second.Nodes) != 0 {
		t.Errorf("defaults are shared: %v", second.Nodes)
	}
}
