package plugintest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

func registryClusterChecks() []check[RegistryHarness] {
	return []check[RegistryHarness]{
		{"others see it", registrySpreads},
		{"others hear of each change once, with its reason", registrySpreadsEvents},
		{"who comes late learns all", registryLate},
		{"what was lost is made good", registryRepairs},
		{"the dead are hidden, and only they", registryHides},
		{"who is no neighbour any more is not dead", registryEvicted},
		{"a new life replaces the old", registryRestarts},
		{"a partition heals, nothing comes back", registryHeals},
		{"nobody speaks for another", registryImpostor},
		{"what was changed on the way is not believed", registryTampered},
		{"find asks the neighbours", registryFinds},
		{"large metadata travels", registryLarge},
		{"the policy is obeyed", registryPolicy},
	}
}

// put registers a service under the reference 1 with a value.
func (c *counter) put(service, value string) {
	c.o.Helper()
	e := registry.Entry{Service: name.MustService(service), Ref: name.Ref{Node: c.node, Incarnation: c.inc, ID: 1}, Meta: map[string]string{"v": value}}
	if err := c.plugin.Put(c.o.Context(), e); err != nil {
		c.o.Fatalf("%s: Put %s: %v", c.node, service, err)
	}
}

func (c *counter) remove(service, reason string) {
	c.o.Helper()
	ref := name.Ref{Node: c.node, Incarnation: c.inc, ID: 1}
	if err := c.plugin.Remove(c.o.Context(), name.MustService(service), ref, reason); err != nil {
		c.o.Fatalf("%s: Remove %s: %v", c.node, service, err)
	}
}

// sees lists everything that is visible, as service=owner/incarnation:value.
func (c *counter) sees() string {
	var list []string
	for _, count := range c.plugin.List("") {
		found := c.plugin.Lookup(count.Service)
		for i, e := range found {
			list = append(list, fmt.Sprintf("%s=%s/%d:%s", e.Service, e.Ref.Node.Base(), e.Ref.Incarnation, e.Meta["v"]))
			if i > 0 && found[i-1].Ref.Node != c.node && e.Ref.Compare(found[i-1].Ref) < 0 || i > 0 && e.Ref.Node == c.node && found[i-1].Ref.Node != c.node {
				c.o.Errorf("%s: Lookup %s: %s stands after %s", c.node, e.Service, e.Ref, found[i-1].Ref)
			}
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// expect waits until a counter sees that, and nothing else.
func (c *counter) expect(want string) {
	c.o.Helper()
	c.o.eventually(func() string { return fmt.Sprintf("%s sees %q, want %q", c.node, c.sees(), want) }, func() bool { return c.sees() == want })
}

func (o *office) eventually(missing func() string, cond func() bool) {
	o.Helper()
	patience := o.h.patience
	if patience == 0 {
		patience = Patience
	}
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			o.Fatalf("%s: not within %v", missing(), patience)
		}
	}
}

func registrySpreads(t T, h RegistryHarness) {
	o, c := newOffice(t, h, "a", "b", "c")
	o.row(c...)
	c[0].put("svc", "1")
	c[2].put("svc", "2")
	c[2].put("room/x", "3")
	for _, one := range c {
		one.expect("room/x=c/1:3 svc=a/1:1 svc=c/1:2")
	}
	if list := c[1].plugin.List("room/"); len(list) != 1 || list[0].Instances != 1 {
		t.Errorf("List of a prefix on another node: %v", list)
	}
}

func registrySpreadsEvents(t T, h RegistryHarness) {
	o, c := newOffice(t, h, "a", "b")
	o.row(c...)
	c[0].put("first", "0")
	c[1].expect("first=a/1:0") // what comes now is heard of as it happens
	c[0].put("svc", "1")
	c[0].put("svc", "2")
	c[0].remove("svc", "")
	c[0].put("svc", "3")
	c[0].remove("svc", "exited: boom")
	c[0].put("last", "4")
	c[1].expect("first=a/1:0 last=a/1:4")
	want := c[0].told()
	o.eventually(func() string { return fmt.Sprintf("b heard %q, a %q", c[1].told(), want) },
		func() bool { return slices.Equal(c[1].told(), want) }) // seen is before told
	if len(want) != 7 || want[5] != "down svc of a/1 3: exited: boom" {
		t.Errorf("a heard %q", want)
	}
}

func registryLate(t T, h RegistryHarness) {
	o, c := newOffice(t, h, "a", "b")
	o.row(c...)
	c[0].put("svc", "1")
	c[1].put("svc", "2")
	c[0].expect("svc=a/1:1 svc=b/1:2")
	late := o.start("late", 1)
	o.link(late, c[0])
	late.expect("svc=a/1:1 svc=b/1:2")
	o.eventually(func() string {
		return fmt.Sprintf("events of who came late: %q, want two that are registered", late.told())
	},
		func() bool { return len(late.told()) == 2 }) // seen is before told
	if got := late.told(); len(got) != 2 || !strings.HasPrefix(got[0], "registered svc") {
		t.Errorf("events of who came late: %q, want two that are registered", got)
	}
}

func registryRepairs(t T, h RegistryHarness) {
	o, c := newOffice(t, h, "a", "b", "c")
	o.row(c...)
	c[0].put("stays", "1")
	c[0].put("goes", "1")
	c[2].expect("goes=a/1:1 stays=a/1:1")
	o.silence(true)
	c[0].put("quits", "1")
	c[0].remove("goes", "exited: boom")
	c[0].put("stays", "2")
	c[0].put("new", "1")
	c[2].expect("new=a/1:1 quits=a/1:1 stays=a/1:2")
	c[0].remove("quits", "")
	c[2].expect("new=a/1:1 stays=a/1:2")
	// What was missed is told like what was heard.
	for _, want := range []string{"down goes of a/1 1: exited: boom", "unregistered quits of a/1 1"} {
		o.eventually(func() string { return fmt.Sprintf("c heard %q, want that %q", c[2].told(), want) },
			func() bool { return slices.Contains(c[2].told(), want) })
	}
}

func registryHides(t T, h RegistryHarness) {
	o, c := newOffice(t, h, "a", "b", "c")
	o.row(c...)
	for _, one := range c {
		one.put("svc", "1")
	}
	c[0].expect("svc=a/1:1 svc=b/1:1 svc=c/1:1")
	c[1].expect("svc=a/1:1 svc=b/1:1 svc=c/1:1")
	o.tell(membership.MemberSuspect, c[2])
	o.tell(membership.MemberDown, c[2])
	c[0].expect("svc=a/1:1 svc=b/1:1")
	c[1].expect("svc=a/1:1 svc=b/1:1")
	o.eventually(func() string {
		return fmt.Sprintf("a heard %q, want that c is down at the end, with a reason", c[0].told())
	},
		func() bool { // seen is before told
			told := c[0].told()
			return len(told) > 0 && strings.HasPrefix(told[len(told)-1], "down svc of c/1 1: ")
		})
	o.tell(membership.MemberUp, c[2])
	c[0].expect("svc=a/1:1 svc=b/1:1 svc=c/1:1")
	o.tell(membership.MemberLeft, c[2])
	c[0].expect("svc=a/1:1 svc=b/1:1")
}

func registryEvicted(t T, h RegistryHarness) {
	o, c := newOffice(t, h, "a", "b", "c")
	o.row(c[0], c[1], c[2], c[0])
	c[1].put("svc", "1")
	c[0].expect("svc=b/1:1")
	for range 5 {
		o.unlink(c[0], c[1])
		o.link(c[0], c[1])
	}
	o.unlink(c[0], c[1])
	c[1].put("svc", "2") // over c
	c[0].expect("svc=b/1:2")
	for _, event := range c[0].told() {
		if strings.HasPrefix(event, "down") || strings.HasPrefix(event, "unregistered") {
			t.Errorf("a neighbour that went was told as %q", event)
		}
	}
}

func registryRestarts(t T, h RegistryHarness) {
	o, c := newOffice(t, h, "a", "b")
	o.row(c...)
	c[1].put("svc", "1")
	c[1].put("old", "1")
	c[0].expect("old=b/1:1 svc=b/1:1")
	c[1].end()
	again := o.start("b", 2)
	o.link(c[0], again)
	again.put("svc", "2")
	c[0].expect("svc=b/2:2")
	ofTheNew := func(e string) bool { return strings.Contains(e, "b/2") }
	o.eventually(func() string { return fmt.Sprintf("a heard %q, want of b/2", c[0].told()) },
		func() bool { return slices.ContainsFunc(c[0].told(), ofTheNew) }) // seen is before told
	told := c[0].told()
	for _, event := range told[slices.IndexFunc(told, ofTheNew):] {
		if strings.HasPrefix(event, "registered") && strings.Contains(event, "b/1") {
			t.Errorf("of the old life after the first of the new: %q", told)
		}
	}
}

func registryHeals(t T, h RegistryHarness) {
	o, c := newOffice(t, h, "a", "b", "c", "d")
	o.row(c...)
	for _, one := range c {
		one.put("svc", "1")
		one.put("extra", "1")
	}
	all := func(extra, svc string) string {
		var list []string
		for _, one := range c {
			list = append(list, "extra="+one.node.Base()+"/1:"+extra)
		}
		for _, one := range c {
			list = append(list, "svc="+one.node.Base()+"/1:"+svc)
		}
		return strings.Join(list, " ")
	}
	for _, one := range c {
		one.expect(all("1", "1"))
	}
	o.unlink(c[1], c[2])
	for _, pair := range [][2]int{{0, 2}, {0, 3}, {1, 2}, {1, 3}} {
		c[pair[0]].post(memberInput(membership.MemberDown, c[pair[1]]))
		c[pair[1]].post(memberInput(membership.MemberDown, c[pair[0]]))
	}
	for _, one := range c {
		one.remove("extra", "")
		one.put("svc", "2")
	}
	c[0].expect("svc=a/1:2 svc=b/1:2")
	c[3].expect("svc=c/1:2 svc=d/1:2")
	o.link(c[1], c[2])
	for _, one := range c {
		o.tell(membership.MemberUp, one)
	}
	for _, one := range c {
		one.expect("svc=a/1:2 svc=b/1:2 svc=c/1:2 svc=d/1:2")
	}
	for _, one := range c {
		removed := map[string]bool{}
		for _, event := range one.told() {
			what, entry, _ := strings.Cut(event, " ")
			removed[entry] = removed[entry] || what == "unregistered"
			if what == "registered" && removed[entry] {
				t.Errorf("%s heard that what was removed is back: %q", one.node, one.told())
			}
		}
	}
}

// registryImpostor: a node that says it is b, with another key, is not believed; b is.
func registryImpostor(t T, h RegistryHarness) {
	o, c := newOffice(t, h, "a", "b", "m")
	c[1].put("svc", "1")
	o.link(c[0], c[1])
	c[0].expect("svc=b/1:1")
	o.link(c[0], c[2])
	o.unlink(c[0], c[1])
	false1 := o.open("b", 1, newSigner(c[2].node))
	false2 := o.open("b", 9, newSigner(c[2].node))
	for _, impostor := range []*counter{false1, false2} {
		impostor.post(memberInput(membership.MemberUp, c[0]))
		impostor.put("svc", "forged")
		impostor.put("more", "forged")
	}
	o.overhear(c[0], c[2])
	o.link(c[0], false1)
	o.link(c[0], false2)
	c[2].put("honest", "1")
	c[0].expect("honest=m/1:1 svc=b/1:1")
	if told := c[0].told(); slices.ContainsFunc(told, func(e string) bool { return strings.Contains(e, "forged") }) {
		t.Errorf("a forger was believed: %q", told)
	}
}

// overhear gives one counter everything that was ever broadcast, as passed on by another.
func (o *office) overhear(to, by *counter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.spoken {
		to.post(registry.Input{Kind: registry.Broadcast, Node: by.node, Data: bytes.Clone(s.data)})
	}
}

// registryTampered flips bits of what b says.
func registryTampered(t T, h RegistryHarness) {
	o, c := newOffice(t, h, "a", "b", "m")
	c[1].put("svc", "1")
	c[1].put("svc", "2")
	o.link(c[0], c[2])
	o.eventually(func() string { return "b does not broadcast what it registers" }, func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		return len(o.spoken) > 0
	})
	o.mu.Lock()
	said := slices.Clone(o.spoken)
	o.mu.Unlock()
	for _, s := range said {
		for i := range s.data {
			changed := bytes.Clone(s.data)
			changed[i] ^= 1 << (i % 8)
			c[0].post(registry.Input{Kind: registry.Broadcast, Node: c[2].node, Data: changed})
		}
	}
	c[2].put("honest", "1")
	o.eventually(func() string { return "a does not see what m registers" }, func() bool { return strings.Contains(c[0].sees(), "honest=m/1:1") })
	// What a change does not change the meaning of may be believed.
	if got := c[0].sees(); !slices.Contains([]string{"honest=m/1:1", "honest=m/1:1 svc=b/1:1", "honest=m/1:1 svc=b/1:2"}, got) {
		t.Errorf("a sees %q", got)
	}
	for _, event := range c[0].told() {
		if what := event[strings.Index(event, " ")+1:]; !slices.Contains([]string{"honest of m/1 1", "svc of b/1 1", "svc of b/1 2"}, what) {
			t.Errorf("a heard %q", event)
		}
	}
}

func registryFinds(t T, h RegistryHarness) {
	o, c := newOffice(t, h, "a", "b", "c")
	finder, can := able[registry.Finder](c[0].plugin, "find")
	if !can {
		return // it is optional
	}
	o.row(c[1], c[2])
	c[2].put("svc", "1")
	c[1].expect("svc=c/1:1")
	o.link(c[0], c[1])
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	o.eventually(func() string { return "Find does not find" }, func() bool {
		if err := finder.Find(ctx, name.MustService("svc")); err != nil {
			t.Fatalf("Find: %v", err)
		}
		return c[0].sees() != ""
	})
	begun := time.Now()
	if err := finder.Find(ctx, name.MustService("nothing")); err != nil || time.Since(begun) > Patience/2 {
		t.Errorf("Find of what nobody offers: %v, after %v", err, time.Since(begun))
	}
	ended, stop := context.WithCancel(t.Context())
	stop()
	if err := finder.Find(ended, name.MustService("another")); err != nil && ended.Err() == nil {
		t.Errorf("Find with an ended context: %v", err)
	}
}

func registryLarge(t T, h RegistryHarness) {
	o, c := newOffice(t, h, "a", "b")
	o.row(c...)
	value := strings.Repeat("x", registry.MaxMeta-1)
	c[0].put("one", value)
	c[0].put("two", value)
	c[1].expect("one=a/1:" + value + " two=a/1:" + value)
	late := o.start("late", 1)
	o.link(late, c[1])
	late.expect("one=a/1:" + value + " two=a/1:" + value)
}

// registryPolicy: only b may register below "admin/".
func registryPolicy(t T, h RegistryHarness) {
	o := &office{T: t, h: h}
	o.policy = func(service name.Service, owner name.Node) error {
		if strings.HasPrefix(service.String(), "admin/") && owner.Base() != "b" {
			return errors.New("only b")
		}
		return nil
	}
	a := o.start("a", 1)
	o.policy = nil
	b, c := o.start("b", 1), o.start("c", 1)
	o.row(b, a, c)
	e := registry.Entry{Service: name.MustService("admin/x"), Ref: name.Ref{Node: a.node, Incarnation: 1, ID: 1}}
	if err := a.plugin.Put(t.Context(), e); !errors.Is(err, registry.ErrNotAllowed) {
		t.Errorf("Put against the policy: %v; want ErrNotAllowed", err)
	}
	b.put("admin/x", "1")
	c.put("admin/x", "2")
	c.put("other", "3")
	a.expect("admin/x=b/1:1 other=c/1:3")
	b.expect("admin/x=b/1:1 admin/x=c/1:2 other=c/1:3")
}
