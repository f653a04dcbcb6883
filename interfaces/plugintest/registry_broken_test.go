package plugintest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// ledger is a registry in a slice. flaws are the promises that it breaks on purpose.
type ledger struct {
	env   registry.Env
	flaws ledgerFlaws

	mu      sync.Mutex
	entries []registry.Entry
	stopped bool
}

type ledgerFlaws struct {
	stopOnce, sharesMeta, nilMeta, mergesMeta, resetsSince, localTime bool
	unsorted, keepsRemoved, removesQuietly, anyOwner, anyLife         bool
	anySize, tooStrict, ignoresContext, listsEmpty, noPrefix, nilList bool
	editsInPlace, repeatsUpdates, silent, obeysMembers                bool
}

func (l *ledger) Start(context.Context) error { return nil }

func (l *ledger) Stop(context.Context) error {
	if l.flaws.stopOnce && l.stopped {
		return errors.New("stopped already")
	}
	l.stopped = true
	return nil
}

func (l *ledger) Put(ctx context.Context, e registry.Entry) error {
	if err := l.refuse(ctx, e.Ref, e.Meta); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Since = time.Now().UTC()
	if l.flaws.localTime {
		e.Since = time.Now().In(time.FixedZone("here", 3600))
	}
	if !l.flaws.sharesMeta {
		e.Meta = maps.Clone(e.Meta)
	}
	if e.Meta == nil && !l.flaws.nilMeta {
		e.Meta = map[string]string{}
	}
	if i := l.index(e.Service, e.Ref); i >= 0 {
		l.replace(i, e)
		return nil
	}
	l.entries = append(l.entries, e)
	l.emit(registry.Registered, e)
	return nil
}

func (l *ledger) refuse(ctx context.Context, ref name.Ref, meta map[string]string) error {
	size := 0
	for k, v := range meta {
		size += len(k) + len(v)
	}
	switch {
	case ctx.Err() != nil && !l.flaws.ignoresContext:
		return ctx.Err()
	case ref.Node != l.env.Node && !l.flaws.anyOwner:
		return registry.ErrNotOwner
	case ref.Node == l.env.Node && ref.Incarnation != l.env.Incarnation && !l.flaws.anyLife:
		return registry.ErrNotOwner
	case size > registry.MaxMeta && !l.flaws.anySize, size >= registry.MaxMeta && l.flaws.tooStrict:
		return registry.ErrTooLarge
	}
	return nil
}

func (l *ledger) replace(i int, e registry.Entry) {
	old := l.entries[i]
	if maps.Equal(old.Meta, e.Meta) && !l.flaws.repeatsUpdates {
		return
	}
	if !l.flaws.resetsSince {
		e.Since = old.Since
	}
	if l.flaws.editsInPlace {
		clear(old.Meta)
		maps.Copy(old.Meta, e.Meta)
		e.Meta = old.Meta
	}
	if l.flaws.mergesMeta {
		merged := maps.Clone(old.Meta)
		maps.Copy(merged, e.Meta)
		e.Meta = merged
	}
	l.entries[i] = e
	l.emit(registry.Updated, e)
}

func (l *ledger) emit(t registry.EventType, e registry.Entry) {
	if !l.flaws.silent {
		l.env.Emit(registry.Event{Type: t, Entry: e})
	}
}

func (l *ledger) index(service name.Service, ref name.Ref) int {
	return slices.IndexFunc(l.entries, func(e registry.Entry) bool { return e.Service == service && e.Ref == ref })
}

func (l *ledger) Remove(ctx context.Context, service name.Service, ref name.Ref, reason string) error {
	if err := l.refuse(ctx, ref, nil); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	i := l.index(service, ref)
	switch {
	case i < 0 && l.flaws.removesQuietly:
		return nil
	case i < 0:
		return registry.ErrNotFound
	}
	gone := l.entries[i]
	if !l.flaws.keepsRemoved {
		l.entries = slices.Delete(slices.Clone(l.entries), i, i+1)
	}
	l.emit(registry.Unregistered, gone)
	return nil
}

func (l *ledger) Lookup(service name.Service) []registry.Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []registry.Entry
	for _, e := range l.entries {
		if e.Service == service {
			found = append(found, e)
		}
	}
	if !l.flaws.unsorted {
		slices.SortFunc(found, func(a, b registry.Entry) int { return a.Ref.Compare(b.Ref) })
	}
	return found
}

func (l *ledger) List(prefix string) []registry.Count {
	l.mu.Lock()
	defer l.mu.Unlock()
	counts := map[name.Service]int{}
	for _, e := range l.entries {
		if l.flaws.noPrefix || strings.HasPrefix(e.Service.String(), prefix) {
			counts[e.Service]++
		}
	}
	if l.flaws.listsEmpty {
		counts[name.MustService("gone")] = 0
	}
	list := []registry.Count{}
	for service, n := range counts {
		list = append(list, registry.Count{Service: service, Instances: n})
	}
	if l.flaws.nilList && len(list) == 0 {
		return nil
	}
	slices.SortFunc(list, func(a, b registry.Count) int { return a.Service.Compare(b.Service) })
	return list
}

func (l *ledger) Input(in registry.Input) {
	if l.flaws.obeysMembers && in.Event.Type == membership.MemberDown {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.entries = nil
	}
}

func ledgerHarness(flaws ledgerFlaws) RegistryHarness {
	return RegistryHarness{New: func(_ T, env registry.Env) registry.Plugin { return &ledger{env: env, flaws: flaws} }}
}

func TestRegistrySuitePasses(t *testing.T) { Registry(t, ledgerHarness(ledgerFlaws{})) }

func TestRegistrySuiteCatches(t *testing.T) {
	cases := []struct {
		flaws ledgerFlaws
		want  []string
	}{
		{ledgerFlaws{stopOnce: true}, []string{"lifecycle"}},
		{ledgerFlaws{sharesMeta: true}, []string{"metadata is copied"}},
		{ledgerFlaws{nilMeta: true}, []string{"metadata is copied"}},
		{ledgerFlaws{mergesMeta: true}, []string{"put again replaces metadata"}},
		{ledgerFlaws{resetsSince: true}, []string{"put again replaces metadata"}},
		{ledgerFlaws{localTime: true}, []string{"put is found"}},
		{ledgerFlaws{unsorted: true}, []string{"several under one name, in order", "remove"}},
		{ledgerFlaws{keepsRemoved: true}, []string{"remove", "list by prefix"}},
		{ledgerFlaws{removesQuietly: true}, []string{"remove"}},
		{ledgerFlaws{anyOwner: true}, []string{"only the owner writes"}},
		{ledgerFlaws{anyLife: true}, []string{"only the owner writes"}},
		{ledgerFlaws{anySize: true}, []string{"metadata is bounded"}},
		{ledgerFlaws{tooStrict: true}, []string{"metadata is bounded"}},
		{ledgerFlaws{ignoresContext: true}, []string{"ended context changes nothing"}},
		{ledgerFlaws{listsEmpty: true}, []string{"list by prefix"}},
		{ledgerFlaws{noPrefix: true}, []string{"list by prefix"}},
		{ledgerFlaws{nilList: true}, []string{"list by prefix"}},
		{ledgerFlaws{editsInPlace: true}, []string{"answers do not change"}},
		{ledgerFlaws{repeatsUpdates: true}, []string{"events tell each change once"}},
		{ledgerFlaws{silent: true}, []string{"metadata is bounded", "events tell each change once", "concurrent use", "members do not disturb own entries"}},
		{ledgerFlaws{obeysMembers: true}, []string{"members do not disturb own entries"}},
	}
	caught := map[string]bool{}
	for _, c := range cases {
		got := broken(t, ledgerHarness(c.flaws), registryChecks())
		for _, want := range c.want {
			caught[want] = true
			if !slices.Contains(got, want) {
				t.Errorf("%+v: failed %q, want %q among them", c.flaws, got, want)
			}
		}
		if len(c.want) == 1 && len(got) > 1 && !slices.Contains(got, "concurrent use") {
			t.Errorf("%+v: failed %q, want %q only", c.flaws, got, c.want)
		}
	}
	for _, k := range registryChecks() {
		if !caught[k.name] {
			t.Errorf("%q is broken by no registry of this test", k.name)
		}
	}
}
