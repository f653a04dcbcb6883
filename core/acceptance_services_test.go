package core_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// answering registers a service that answers with the name of its node.
func answering(t *testing.T, n *core.Node, service string, meta map[string]string) *core.Registration {
	t.Helper()
	r, err := n.Register(t.Context(), name.MustService(service), meta, func(context.Context, core.Message) (any, error) {
		return n.Name().String(), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func seesAt(n *core.Node, service string, want int) func() bool {
	return func() bool { return len(n.Lookup(name.MustService(service))) == want }
}

// A name is found from everywhere, its metadata changes in place, and every node hears the
// same of it.
func TestServicesAcrossNodes(t *testing.T) {
	lab := newField(t)
	a, b := lab.pair()
	w, err := b.Watch("room/")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if e, err := w.Next(t.Context()); err != nil || e.Type != core.Synced {
		t.Fatalf("first event %+v, %v", e, err)
	}
	r := answering(t, a, "room/x", map[string]string{"v": "1"})
	answering(t, a, "other", nil)
	found, err := b.Whereis(t.Context(), name.MustService("room/x"), core.Retries(5))
	if err != nil || found.Ref != r.Ref() {
		t.Fatalf("found %+v, %v", found, err)
	}
	if err := r.Update(t.Context(), map[string]string{"v": "2"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the update is seen", func() bool {
		e, err := b.Whereis(t.Context(), name.MustService("room/x"))
		return err == nil && e.Meta["v"] == "2"
	})
	if err := a.Unregister(name.MustService("room/x")); err != nil {
		t.Fatal(err)
	}
	var told []string
	for range 3 {
		e, err := w.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, fmt.Sprintf("%s %s %s", e.Type, e.Entry.Service, e.Entry.Meta["v"]))
	}
	if want := []string{"registered room/x 1", "updated room/x 2", "unregistered room/x 2"}; !slices.Equal(told, want) {
		t.Errorf("b heard %q, want %q", told, want)
	}
	if _, err := b.Whereis(t.Context(), name.MustService("room/x")); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("Whereis of what is gone: %v", err)
	}
	if list := b.List(""); len(list) != 1 || list[0].Service.String() != "other" || len(b.LookupLocal(list[0].Service)) != 0 || len(a.LookupLocal(list[0].Service)) != 1 {
		t.Errorf("b lists %v", list)
	}
}

// The death of a process is heard of everywhere, with its reason; a handle goes on with
// another instance.
func TestAServiceEndsWithItsProcess(t *testing.T) {
	lab := newField(t)
	a, b := lab.pair()
	boom := errors.New("boom")
	end := make(chan struct{})
	proc, err := a.Spawn(core.Spec{Run: func(ctx context.Context, self *core.Self) error {
		select {
		case <-end:
			return boom
		case <-ctx.Done():
			return nil
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Offer(t.Context(), name.MustService("svc"), nil, proc); err != nil {
		t.Fatal(err)
	}
	eventually(t, "b sees it", seesAt(b, "svc", 1))
	w, err := b.Watch("svc")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	close(end)
	for {
		e, err := w.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if e.Type == registry.EntryDown {
			if e.Reason != "process ended: boom" {
				t.Errorf("reason %q", e.Reason)
			}
			return
		}
	}
}

func TestAHandleFindsAnother(t *testing.T) {
	lab := newField(t)
	a, b := lab.pair()
	first, second := answering(t, a, "svc", map[string]string{"load": "1"}), answering(t, b, "svc", map[string]string{"load": "2"})
	eventually(t, "b sees both", seesAt(b, "svc", 2))
	handle := b.Service(name.MustService("svc"), core.By(core.Least("load")))
	ask := func() string {
		answer, err := handle.Call(t.Context(), nil)
		if err != nil {
			return err.Error()
		}
		return string(answer)
	}
	if got := ask(); got != a.Name().String() {
		t.Errorf("answered by %s", got)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if got := ask(); got != b.Name().String() { // at once: whether b has heard of it or not
		t.Errorf("after the end of one, answered by %s", got)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nobody is left", func() bool {
		_, err := handle.Call(t.Context(), nil)
		return errors.Is(err, core.ErrNotFound)
	})
}

// Who may register what is a rule of each node.
func TestServicePolicy(t *testing.T) {
	lab := newField(t)
	policy := core.WithServicePolicy(func(service name.Service, owner name.Node) error {
		if service.String() == "admin" && owner.Base() != "a" {
			return errors.New("only a")
		}
		return nil
	})
	cfg := lab.loadFile("node: {name: b@127.0.0.1}", "discovery.file.dir="+lab.folder+"/discovery", "transport.quic.listen=127.0.0.1:0", "registry.use=memory")
	b, err := core.New(cfg, lab.catalog, policy, core.WithoutSocket())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	_, err = b.Register(t.Context(), name.MustService("admin"), nil, func(context.Context, core.Message) (any, error) { return nil, nil })
	if !errors.Is(err, core.ErrNotAllowed) {
		t.Errorf("register against the policy: %v", err)
	}
	answering(t, b, "free", nil)
}

// To read of a name that is known costs a node no memory.
func TestReadingAllocatesNothing(t *testing.T) {
	a, b := newField(t).pair()
	answering(t, a, "s", map[string]string{"load": "1"})
	eventually(t, "it is seen", seesAt(b, "s", 1))
	known, ctx := name.MustService("s"), t.Context()
	for what, read := range map[string]func() bool{
		"Lookup":      func() bool { return len(b.Lookup(known)) == 1 },
		"LookupLocal": func() bool { return len(b.LookupLocal(known)) == 0 },
		"Whereis":     func() bool { e, err := b.Whereis(ctx, known); return err == nil && e.Service == known },
	} {
		if n := testing.AllocsPerRun(100, func() {
			if !read() {
				t.Error(what)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
}
