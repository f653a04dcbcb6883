package core_test

import (
	"slices"
	"testing"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// A hidden node calls and is called, and is no member: nobody lists it, and it lists
// nobody.
func TestAHiddenNodeIsNoMember(t *testing.T) {
	t.Parallel()
	f := newField(t)
	a, b := f.pair()
	events := record(t, a)
	probe := f.start("probe@127.0.0.1", "node.hidden=true")
	offerEcho(t, a)
	offerEcho(t, probe)
	if _, err := call(t, probe, "echo@a@127.0.0.1", "from the dark"); err != nil {
		t.Error(err)
	}
	if _, err := call(t, a, "echo@probe@127.0.0.1", "to the dark"); err != nil {
		t.Error(err)
	}
	if err := probe.Join(t.Context(), a.Name()); err == nil {
		t.Error("a hidden node joins")
	}
	offer(t, b, "news", echo)
	eventually(t, "gossip of what came later has arrived", func() bool { return len(a.Lookup(name.MustService("news"))) == 1 })
	for _, n := range []*core.Node{a, b} {
		if state := stateAt(n, probe.Name()); state != "" {
			t.Errorf("%s thinks that the probe is %s", n.Name(), state)
		}
	}
	if !slices.Contains(a.Nodes(true), probe.Name()) || slices.Contains(a.Nodes(false), probe.Name()) || !slices.Contains(probe.Nodes(false), a.Name()) {
		t.Errorf("a sees %v, hidden %v; the probe sees %v", a.Nodes(false), a.Nodes(true), probe.Nodes(false))
	}
	if n := len(probe.Members()); n > 1 {
		t.Errorf("the probe knows %d members", n)
	}
	for _, e := range slices.Concat(events.all("member", "up"), events.all("peer", "up")) {
		if e.Node == probe.Name() {
			t.Errorf("told as a member: %+v", e)
		}
	}
}
