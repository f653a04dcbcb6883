package core_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
	registryormap "github.com/barrelp2p/barrel/plugins/registry-ormap"
)

// deaf is the default registry of a node that hears no broadcasts and compares with
// nobody: what it is not asked to find it never knows.
type deaf struct {
	registry.Plugin
	registry.Finder
}

// compares reports whether a frame is of a comparison.
func compares(frame []byte) bool { return len(frame) > 0 && frame[0] == 'A' }

func (d *deaf) Input(in registry.Input) {
	if in.Kind == registry.Broadcast || in.Kind == registry.Frame && compares(in.Data) {
		return
	}
	d.Plugin.Input(in)
}

type mumbling struct{ registry.Network }

func (m mumbling) Send(node name.Node, frame []byte) error {
	if compares(frame) {
		return nil
	}
	return m.Network.Send(node, frame)
}

func withDeafRegistry() core.Option {
	factory := registryormap.Factory()
	return core.WithRegistry("ormap", func(env registry.Env) (registry.Plugin, error) {
		env.Network = mumbling{env.Network}
		p, err := factory.New(env, factory.Settings())
		return &deaf{p, p.(registry.Finder)}, err
	})
}

// Whereis is right before replication is: a node that has only just joined, and has heard
// of nothing yet, finds what its neighbours know.
func TestWhereisBeforeReplication(t *testing.T) {
	f := newField(t)
	a, b := f.pair()
	r := answering(t, a, "s", nil)
	eventually(t, "b sees it", seesAt(b, "s", 1))
	c := f.run(f.make(f.load("c@127.0.0.1", t.TempDir()), withDeafRegistry()))
	f.join(c, b)
	eventually(t, "the joiner knows all members", func() bool { return len(c.Members()) == 3 })
	if got := c.Lookup(name.MustService("s")); len(got) > 0 {
		t.Fatalf("the joiner has heard of it: %v", got)
	}
	if found, err := c.Whereis(t.Context(), name.MustService("s"), core.Retries(5)); err != nil || found.Ref != r.Ref() {
		t.Errorf("found %+v, %v", found, err)
	}
}

// Of several instances the nearest is taken, by what the links measure; and another when
// the lines change.
func TestWhereisIsTheNearest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := newIslands(t, 4)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		for _, h := range is.heralds[1:] {
			if _, err := h.node.Register(ctx, name.MustService("s"), nil, func(context.Context, core.Message) (any, error) { return nil, nil }); err != nil {
				t.Fatal(err)
			}
		}
		nearest := func(want int) {
			t.Helper()
			for i := 1; i < 4; i++ {
				way := 40 * time.Millisecond
				if i == want {
					way = 2 * time.Millisecond
				}
				is.ether.slowDown(host(i), &slowness{least: way, most: way})
			}
			began, asked := time.Now(), is.heralds[0].node
			for time.Since(began) < 5*time.Minute {
				e, err := asked.Whereis(ctx, name.MustService("s"))
				if err == nil && e.Ref.Node == is.heralds[want].node.Name() {
					t.Logf("n%d is nearest after %v", want, time.Since(began))
					return
				}
				time.Sleep(time.Second)
			}
			t.Errorf("n%d is not taken for the nearest in five minutes; members %d", want, members(asked, membership.Alive))
		}
		for _, i := range []int{1, 2, 3, 1} {
			nearest(i)
		}
	})
}
