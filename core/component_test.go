package core_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/transport"
	membershipfull "github.com/barrelp2p/barrel/plugins/membership-full"
	registrymemory "github.com/barrelp2p/barrel/plugins/registry-memory"
	transportmemory "github.com/barrelp2p/barrel/plugins/transport-memory"
)

// givenBy makes a build function of a factory, as an embedder with code of its own has.
func givenBy[P plugin.Part, E any](f plugin.Factory[P, E]) func(E) (P, error) {
	return func(env E) (P, error) { return f.New(env, f.Settings()) }
}

func TestEverySlotCanBeGivenAComponent(t *testing.T) {
	lab := newLab(t)
	network := transportmemory.NewNetwork().Factory()
	lab.catalog.Transport, lab.catalog.Membership, lab.catalog.Registry = nil, nil, nil
	lab.sets = nil
	given := []core.Option{
		core.WithTransport("mine", givenBy[transport.Plugin, transport.Env](network)),
		core.WithMembership("mine", givenBy[membership.Plugin, membership.Env](membershipfull.Factory())),
		core.WithRegistry("mine", givenBy[registry.Plugin, registry.Env](registrymemory.Factory())),
	}
	a := lab.run(lab.make(lab.load("a@127.0.0.1", t.TempDir()), given...))
	b := lab.run(lab.make(lab.load("b@127.0.0.1", t.TempDir()), given...))
	if err := b.Join(t.Context(), a.Name()); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Register(t.Context(), name.MustService("echo"), nil, echo); err != nil {
		t.Fatal(err)
	}
	if out, err := b.Call(t.Context(), "echo@a@127.0.0.1", []byte("x")); err != nil || string(out) != "echo: x" {
		t.Errorf("call: %q, %v", out, err)
	}
	if got := control(t, a).Status().Slots.Membership.Plugin; got != "mine" {
		t.Errorf("status names the membership %q", got)
	}
}

func control(t *testing.T, n *core.Node) admin.Node {
	t.Helper()
	c, err := n.Admin()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What the operator says of a key holds for links that are up, too.
func TestChangingAPinEndsTheLinkThatRestedOnIt(t *testing.T) {
	for what, change := range map[string]func(admin.Node, name.Node) error{
		"removed": func(c admin.Node, node name.Node) error { return c.RemovePin(node) },
		"another": func(c admin.Node, node name.Node) error { return c.AddPin(node, [32]byte{1}) },
	} {
		t.Run(what, func(t *testing.T) {
			lab := newLab(t)
			a, b := lab.start("a@127.0.0.1"), lab.start("b@127.0.0.1")
			if err := b.Join(t.Context(), a.Name()); err != nil {
				t.Fatal(err)
			}
			seen := a.Subscribe("link")
			defer seen.Close()
			if err := change(control(t, a), b.Name()); err != nil {
				t.Fatal(err)
			}
			for {
				e, err := seen.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if e.Type == "down" && e.Node == b.Name() {
					return
				}
			}
		})
	}
}

func TestDoctorWithoutANodeLeavesNothing(t *testing.T) {
	lab := newLab(t)
	dir := filepath.Join(t.TempDir(), "typo")
	checks := core.Doctor(t.Context(), lab.load("a@127.0.0.1", dir), lab.catalog, name.Node{})
	if last := checks[len(checks)-1]; last.Outcome != "warn" || !strings.Contains(last.Fact, "no identity") {
		t.Errorf("the last check is %+v", last)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Error("doctor made the data directory")
	}
}

func TestDoctorBeginsNoLife(t *testing.T) {
	lab := newLab(t)
	dir := t.TempDir()
	a, b := lab.startIn(dir, "a@127.0.0.1"), lab.start("b@127.0.0.1")
	if err := b.Join(t.Context(), a.Name()); err != nil {
		t.Fatal(err)
	}
	stop(t, a)
	before := read(t, filepath.Join(dir, "run", "incarnation"))
	for _, c := range core.Doctor(t.Context(), lab.load("a@127.0.0.1", dir), lab.catalog, b.Name()) {
		if c.Outcome == "fail" {
			t.Errorf("%+v", c)
		}
	}
	if after := read(t, filepath.Join(dir, "run", "incarnation")); after != before {
		t.Errorf("the incarnation went from %s to %s", before, after)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
