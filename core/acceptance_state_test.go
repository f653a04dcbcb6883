package core_test

import (
	"testing"
	"testing/synctest"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/core/admin"
)

// A reader that comes late is told what is the case, and then what happens; a node that
// is alone says so wherever one looks.
func TestALateReaderMissesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.boot(named(seed1) + table)
		b := w.boot(named(seed2) + contacts + table)
		eventually(t, "they know each other", knowEachOther(a, b))
		offerEcho(t, a)
		sub, err := a.SubscribeWithState("member", "peer", "service", "node")
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close()
		for _, want := range []string{"member up " + seed2, "peer up " + seed2, "service registered " + seed1} {
			if e := next(t, sub); e.Kind+" "+e.Type+" "+e.Node.String() != want || e.Extra["initial"] != "true" {
				t.Errorf("told %+v, want %q as what is the case", e, want)
			}
		}
		w.ether.kill("10.0.0.2")
		for _, want := range []string{"peer down " + seed2, "node isolated " + seed1, "member suspect " + seed2, "member down " + seed2} {
			if e := next(t, sub); e.Kind+" "+e.Type+" "+e.Node.String() != want || e.Extra["initial"] != "" {
				t.Errorf("told %+v, want %q as it happens", e, want)
			}
		}
		isolated := func(s admin.Status) bool { return s.Isolated && len(s.Warnings) > 0 }
		if s := adminOf(t, a).Status(); !isolated(s) {
			t.Errorf("status of a node that is alone: %+v", s)
		}
		late, err := a.SubscribeWithState("node")
		if err != nil {
			t.Fatal(err)
		}
		defer late.Close()
		if e := next(t, late); e.Type != "isolated" || e.Extra["initial"] != "true" {
			t.Errorf("told %+v, want that the node is isolated", e)
		}
		if err := a.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := adminOf(t, a).Status(); s.Isolated {
			t.Errorf("a node that left is not isolated, it is out: %+v", s)
		}
	})
}

func next(t *testing.T, sub *core.Subscription) core.Event {
	t.Helper()
	e, err := sub.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return e
}
