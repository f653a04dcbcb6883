package plugintest

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// crier is a registry that replicates by brute force: with each change, and to each new
// neighbour, and again and again, it says all it knows, signed sheet by sheet. flaws are
// the promises that it breaks on purpose.
type crier struct {
	ledger
	flaws crierFlaws

	sheets map[name.Node]*sheet
	alive  map[name.Node]uint64
	near   map[name.Node]bool
	shown  map[string]registry.Entry
	tell   func(registry.Event)
	work   sync.Mutex
	mail   sync.Mutex
	view   sync.Mutex
	inbox  []registry.Input
	wake   chan struct{}
}

type crierFlaws struct {
	mute, unrepeated, unsigned, forgetsEvicted, keepsDead, hidesAll, merges, losesReason, shortFrames, unsorted, unordered, lawless bool
	shy, livesOn, findsLoudly                                                                                                       bool
}

// sheet is all that an owner offers, in its own words.
type sheet struct {
	Owner   name.Node
	Inc     uint64
	Version int
	Entries []registry.Entry
	Gone    map[string]string // reasons, by entry
	Sig     []byte
}

func (s *sheet) text() []byte {
	plain := *s
	plain.Sig = nil
	b, _ := json.Marshal(plain)
	return b
}

func newCrier(env registry.Env, flaws crierFlaws) *crier {
	c := &crier{
		flaws: flaws, sheets: map[name.Node]*sheet{}, alive: map[name.Node]uint64{env.Node: env.Incarnation},
		near: map[name.Node]bool{}, shown: map[string]registry.Entry{}, wake: make(chan struct{}, 1),
	}
	c.ledger = ledger{env: env}
	c.env.Emit = func(registry.Event) {} // of the ledger: the crier tells itself
	c.sheets[env.Node] = &sheet{Owner: env.Node, Inc: env.Incarnation, Gone: map[string]string{}}
	c.tell = env.Emit
	return c
}

func (c *crier) Start(context.Context) error {
	c.env.Tasks.Go("crier", func(ctx context.Context) {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-c.wake:
			case <-tick.C:
				if !c.flaws.unrepeated {
					c.cryAll()
				}
			}
			c.takeAll()
		}
	})
	return nil
}

func (c *crier) Stop(ctx context.Context) error { return c.env.Tasks.Stop(ctx) }

func (c *crier) Put(ctx context.Context, e registry.Entry) error {
	c.work.Lock()
	defer c.work.Unlock()
	if err := c.env.Allowed(e.Service, e.Ref.Node); err != nil && !c.flaws.lawless {
		return err
	}
	if err := c.ledger.Put(ctx, e); err != nil {
		return err
	}
	c.rewrite()
	return nil
}

func (c *crier) Remove(ctx context.Context, service name.Service, ref name.Ref, reason string) error {
	c.work.Lock()
	defer c.work.Unlock()
	if err := c.ledger.Remove(ctx, service, ref, reason); err != nil {
		return err
	}
	if c.flaws.losesReason {
		reason = ""
	}
	c.sheets[c.env.Node].Gone[service.String()+ref.String()] = reason
	c.rewrite()
	return nil
}

// rewrite makes a new sheet of what the ledger has, and says it.
func (c *crier) rewrite() {
	own := *c.sheets[c.env.Node]
	own.Entries = slices.Clone(c.entries)
	own.Gone = maps.Clone(own.Gone)
	own.Version++
	sig := c.env.Signer.Sign(own.text())
	own.Sig = sig[:]
	c.sheets[c.env.Node] = &own
	c.show()
	if b, err := json.Marshal(&own); err == nil && !c.flaws.mute {
		_ = c.env.Network.Broadcast(b)
	}
}

func (c *crier) Input(in registry.Input) {
	c.mail.Lock()
	c.inbox = append(c.inbox, in)
	c.mail.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *crier) takeAll() {
	c.mail.Lock()
	list := c.inbox
	c.inbox = nil
	c.mail.Unlock()
	c.work.Lock()
	defer c.work.Unlock()
	for _, in := range list {
		c.take(in)
		c.show()
	}
}

func (c *crier) take(in registry.Input) {
	switch in.Kind {
	case registry.PeerUp:
		c.near[in.Node] = true
		if !c.flaws.shy {
			c.cryTo(in.Node)
		}
	case registry.PeerDown:
		delete(c.near, in.Node)
		if c.flaws.forgetsEvicted {
			delete(c.sheets, in.Node)
		}
	case registry.Member:
		c.member(in.Event)
	case registry.Frame, registry.Broadcast:
		c.hear(in.Data)
	}
}

func (c *crier) member(e membership.Event) {
	switch e.Type {
	case membership.MemberUp:
		c.alive[e.Node] = e.Incarnation
	case membership.MemberDown, membership.MemberLeft:
		if !c.flaws.keepsDead {
			delete(c.alive, e.Node)
		}
		if c.flaws.hidesAll {
			maps.DeleteFunc(c.alive, func(n name.Node, _ uint64) bool { return n != c.env.Node })
		}
	}
}

func (c *crier) hear(data []byte) {
	var s sheet
	if json.Unmarshal(data, &s) != nil || s.Owner == c.env.Node || len(s.Sig) != 64 {
		return
	}
	key, known := c.env.Network.Key(s.Owner)
	if !c.flaws.unsigned && (!known || !trust.Verify(key, trust.ForRegistry, s.text(), [64]byte(s.Sig))) {
		return
	}
	old := c.sheets[s.Owner]
	switch {
	case old != nil && (c.flaws.merges && old.Inc == s.Inc || c.flaws.livesOn && old.Inc < s.Inc):
		for _, e := range old.Entries {
			if !slices.ContainsFunc(s.Entries, func(other registry.Entry) bool { return other.Service == e.Service && other.Ref == e.Ref }) {
				s.Entries = append(s.Entries, e)
			}
		}
		s.Sig = old.Sig
	case old != nil && (s.Inc < old.Inc || s.Inc == old.Inc && s.Version <= old.Version && !c.flaws.unordered):
		return
	}
	c.sheets[s.Owner] = &s
}

func (c *crier) cryAll() {
	c.work.Lock()
	defer c.work.Unlock()
	for node := range c.near {
		c.cryTo(node)
	}
}

func (c *crier) cryTo(node name.Node) {
	for _, s := range c.sheets {
		if b, err := json.Marshal(s); err == nil && (len(b) <= registry.MaxFrame || !c.flaws.shortFrames) {
			for len(b) > registry.MaxFrame { // the fabric has no parts: it is told as a broadcast
				_ = c.env.Network.Broadcast(b)
				b = nil
			}
			if b != nil {
				_ = c.env.Network.Send(node, b)
			}
		}
	}
}

// show compares what should be visible with what is, and tells the difference.
func (c *crier) show() {
	want := map[string]registry.Entry{}
	for owner, s := range c.sheets {
		if c.alive[owner] == s.Inc {
			for _, e := range s.Entries {
				if c.env.Allowed(e.Service, owner) != nil && !c.flaws.lawless {
					continue
				}
				want[e.Service.String()+e.Ref.String()] = e
			}
		}
	}
	c.view.Lock()
	defer c.view.Unlock()
	for key, e := range c.shown {
		if _, still := want[key]; !still {
			delete(c.shown, key)
			c.tellGone(key, e)
		}
	}
	for key, e := range want {
		old, had := c.shown[key]
		c.shown[key] = e
		switch {
		case !had:
			c.tell(registry.Event{Type: registry.Registered, Entry: e})
		case !maps.Equal(old.Meta, e.Meta):
			c.tell(registry.Event{Type: registry.Updated, Entry: e})
		}
	}
}

func (c *crier) tellGone(key string, e registry.Entry) {
	s := c.sheets[e.Ref.Node]
	switch {
	case s == nil || c.alive[e.Ref.Node] != s.Inc || s.Inc != e.Ref.Incarnation:
		c.tell(registry.Event{Type: registry.EntryDown, Entry: e, Reason: "node down"})
	case s.Gone[key] != "":
		c.tell(registry.Event{Type: registry.EntryDown, Entry: e, Reason: s.Gone[key]})
	default:
		c.tell(registry.Event{Type: registry.Unregistered, Entry: e})
	}
}

func (c *crier) Lookup(service name.Service) (list []registry.Entry) {
	c.view.Lock()
	defer c.view.Unlock()
	for _, e := range c.shown {
		if e.Service == service {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b registry.Entry) int {
		if own := a.Ref.Node == c.env.Node; own != (b.Ref.Node == c.env.Node) && !c.flaws.unsorted {
			return map[bool]int{true: -1, false: 1}[own]
		}
		return a.Ref.Compare(b.Ref)
	})
	return list
}

func (c *crier) List(prefix string) []registry.Count {
	c.view.Lock()
	defer c.view.Unlock()
	counts := map[name.Service]int{}
	for _, e := range c.shown {
		if strings.HasPrefix(e.Service.String(), prefix) {
			counts[e.Service]++
		}
	}
	list := []registry.Count{}
	for service, n := range counts {
		list = append(list, registry.Count{Service: service, Instances: n})
	}
	slices.SortFunc(list, func(a, b registry.Count) int { return a.Service.Compare(b.Service) })
	return list
}

// Find waits for what is being cried anyway.
func (c *crier) Find(ctx context.Context, service name.Service) error {
	for range 5 {
		if len(c.Lookup(service)) > 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond): // a neighbour may cry
		}
	}
	if c.flaws.findsLoudly {
		return registry.ErrNotFound
	}
	return nil
}

func crierHarness(flaws crierFlaws) RegistryHarness {
	return RegistryHarness{Replicates: true, New: func(_ T, env registry.Env) registry.Plugin { return newCrier(env, flaws) }}
}

func TestRegistryClusterSuitePasses(t *testing.T) { Registry(t, crierHarness(crierFlaws{})) }

func TestRegistryClusterSuiteCatches(t *testing.T) {
	cases := []struct {
		flaws crierFlaws
		want  string
	}{
		{crierFlaws{mute: true, unrepeated: true}, "others see it"},
		{crierFlaws{unrepeated: true}, "what was lost is made good"},
		{crierFlaws{unsigned: true}, "nobody speaks for another"},
		{crierFlaws{unsigned: true, unordered: true}, "what was changed on the way is not believed"},
		{crierFlaws{forgetsEvicted: true}, "who is no neighbour any more is not dead"},
		{crierFlaws{keepsDead: true}, "the dead are hidden, and only they"},
		{crierFlaws{hidesAll: true}, "the dead are hidden, and only they"},
		{crierFlaws{merges: true}, "what was lost is made good"},
		{crierFlaws{losesReason: true}, "others hear of each change once, with its reason"},
		{crierFlaws{shortFrames: true, mute: true}, "large metadata travels"},
		{crierFlaws{unsorted: true}, "others see it"},
		{crierFlaws{lawless: true}, "the policy is obeyed"},
		{crierFlaws{shy: true, unrepeated: true}, "who comes late learns all"},
		{crierFlaws{livesOn: true}, "a new life replaces the old"},
		{crierFlaws{unordered: true}, "a partition heals, nothing comes back"},
		{crierFlaws{findsLoudly: true}, "find asks the neighbours"},
		{crierFlaws{losesReason: true}, "what was lost is made good"},
	}
	caught := map[string]bool{}
	for _, c := range cases {
		caught[c.want] = true
		h := crierHarness(c.flaws)
		h.patience = 300 * time.Millisecond
		only := slices.DeleteFunc(registryClusterChecks(), func(k check[RegistryHarness]) bool { return k.name != c.want })
		if got := broken(t, h, only); len(got) != 1 {
			t.Errorf("%+v: %q was not found broken", c.flaws, c.want)
		}
	}
	for _, k := range registryClusterChecks() {
		if !caught[k.name] {
			t.Errorf("%q is broken by no registry of this test", k.name)
		}
	}
}
