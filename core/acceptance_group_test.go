package core_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// member is a process that waits for its end.
func member(t *testing.T, n *core.Node) *core.Process {
	t.Helper()
	proc, err := n.Spawn(core.Spec{Run: func(ctx context.Context, self *core.Self) error { <-ctx.Done(); return nil }})
	if err != nil {
		t.Fatal(err)
	}
	return proc
}

// groupOn is the handle of a node.
func groupOn(t *testing.T, n *core.Node, group string) *core.Group {
	t.Helper()
	g, err := n.Group(group)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// haveMembers waits until all nodes see the same members, in any order, each once for
// every time it has joined.
func haveMembers(t *testing.T, nodes []*core.Node, group string, procs ...*core.Process) {
	t.Helper()
	want := []name.Ref{}
	for _, p := range procs {
		want = append(want, p.Ref())
	}
	slices.SortFunc(want, name.Ref.Compare)
	for _, n := range nodes {
		var got []name.Ref
		for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
			got = groupOn(t, n, group).Members()
			slices.SortFunc(got, name.Ref.Compare)
			if slices.Equal(got, want) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s sees the members %v of %s, want %v", n.Name(), got, group, want)
			}
		}
	}
}

// Groups are the same on all nodes in the end: who joins, twice too, who leaves, who
// ends, and whose node is lost.
func TestGroupsAreTheSameEverywhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, nodes := three(t)
		ctx := t.Context()
		a, b, c, other := member(t, nodes[0]), member(t, nodes[1]), member(t, nodes[2]), member(t, nodes[0])
		watcher, err := groupOn(t, nodes[0], "red").Watch()
		if err != nil {
			t.Fatal(err)
		}
		defer watcher.Close()
		if e, err := watcher.Next(ctx); err != nil || e.Type != core.Synced {
			t.Fatalf("at first %+v, %v", e, err)
		}
		join := func(n *core.Node, group string, proc *core.Process) {
			t.Helper()
			if err := groupOn(t, n, group).Join(ctx, proc); err != nil {
				t.Fatal(err)
			}
		}
		join(nodes[0], "redhead", other)
		join(nodes[0], "red", a)
		join(nodes[1], "red", b)
		join(nodes[2], "red", c)
		haveMembers(t, nodes, "red", a, b, c)
		haveMembers(t, nodes, "redhead", other)
		if got := nodes[1].Groups(""); !slices.Equal(got, []string{"red", "redhead"}) {
			t.Errorf("groups %q", got)
		}
		if got := nodes[1].Groups("redh"); !slices.Equal(got, []string{"redhead"}) {
			t.Errorf("groups that begin with redh: %q", got)
		}
		if got := groupOn(t, nodes[1], "red").Local(); !slices.Equal(got, []name.Ref{b.Ref()}) {
			t.Errorf("local members %v", got)
		}

		join(nodes[1], "red", b)
		haveMembers(t, nodes, "red", a, b, b, c)
		leave := func() error { return groupOn(t, nodes[1], "red").Leave(ctx, b) }
		if err := leave(); err != nil {
			t.Error(err)
		}
		haveMembers(t, nodes, "red", a, b, c)
		if err := leave(); err != nil {
			t.Error(err)
		}
		haveMembers(t, nodes, "red", a, c)
		if err := leave(); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("who is no member leaves: %v", err)
		}
		other.Stop()
		haveMembers(t, nodes, "redhead")
		if got := nodes[2].Groups(""); !slices.Equal(got, []string{"red"}) {
			t.Errorf("groups when the only member of one has ended: %q", got)
		}
		join(nodes[1], "red", b) // and comes again
		haveMembers(t, nodes, "red", a, b, c)
		w.ether.kill("10.0.0.3")
		haveMembers(t, nodes[:2], "red", a, b)

		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		present := map[name.Ref]bool{}
		for !present[a.Ref()] || !present[b.Ref()] || present[c.Ref()] || len(present) < 3 { // what it tells, applied in order, is the state
			e, err := watcher.Next(ctx)
			if err != nil {
				t.Fatalf("%v; present are %v", err, present)
			}
			switch e.Type {
			case registry.Registered, registry.Updated:
				present[e.Entry.Ref] = true
			default:
				present[e.Entry.Ref] = false
			}
			if group := e.Entry.Service.String(); group != "_pg/red" {
				t.Errorf("who watches red hears of %s", group)
			}
		}
	})
}
