package bootstrap_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/core/block/bootstrap"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

var errRefused = errors.New("nobody answers")

const retry = 5 * time.Second

// cluster is what the node would join: some contacts answer, some do not, some hang.
type cluster struct {
	mu        sync.Mutex
	answers   map[name.Node]bool
	hangs     map[name.Node]bool
	panics    map[name.Node]bool
	attempts  []name.Node
	under     map[name.Node]int  // attempts under way
	strangers map[name.Node]bool // that the cluster does not have
	joined    bool
	left      bool
	listed    []name.Node // by discovery
}

func newCluster() *cluster {
	return &cluster{answers: map[name.Node]bool{}, hangs: map[name.Node]bool{}, panics: map[name.Node]bool{}, under: map[name.Node]int{}}
}

func (c *cluster) alone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.joined && !c.left
}

func (c *cluster) found(context.Context) []name.Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.listed)
}

func (c *cluster) stranger(node name.Node) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.strangers[node] && !c.left
}

func (c *cluster) join(ctx context.Context, through name.Node) error {
	defer c.enter(through)()
	c.mu.Lock()
	answers, hangs, panics := c.answers[through], c.hangs[through], c.panics[through]
	c.mu.Unlock()
	switch {
	case panics:
		panic("join")
	case hangs:
		<-ctx.Done()
		return ctx.Err()
	case !answers:
		return fmt.Errorf("link to %s: %w", through, errRefused)
	}
	c.set(func() { c.joined = true })
	return nil
}

func (c *cluster) enter(node name.Node) (leave func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attempts = append(c.attempts, node)
	c.under[node]++
	if c.under[node] > 1 {
		panic("two attempts with one contact at a time")
	}
	return func() { c.set(func() { c.under[node]-- }) }
}

func (c *cluster) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}

func (c *cluster) tried(node name.Node) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range c.attempts {
		if a == node {
			n++
		}
	}
	return n
}

func (c *cluster) total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.attempts)
}

func node(text string) name.Node { return name.MustNode(text) }

// start makes and starts a block under the virtual clock; it is stopped at the end.
func start(t *testing.T, c *cluster, contacts ...name.Node) *bootstrap.Bootstrap {
	t.Helper()
	panicked := func(p plugin.Panic) {
		if p.Value != "join" {
			t.Errorf("%v\n%s", p, p.Stack)
		}
	}
	b := bootstrap.New(bootstrap.Config{
		Self: node("self@h"), Contacts: contacts, Retry: retry, Alone: c.alone, Stranger: c.stranger, Found: c.found, Join: c.join,
		Tasks: plugin.NewTasks(panicked), Log: slog.New(slog.DiscardHandler),
	})
	must(t, b.Start(t.Context()))
	t.Cleanup(func() { must(t, b.Stop(context.Background())) })
	return b
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestKnocksAtOnceAndAnyContactIsEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		c.answers[node("seed2@h")] = true
		b := start(t, c, node("seed1@h"), node("seed2@h"), node("seed3@h"), node("seed2@h"))
		time.Sleep(time.Second)
		if c.alone() {
			t.Fatal("not joined in a second, though a contact answers")
		}
		for _, contact := range b.Contacts() {
			if contact.Node == node("seed2@h") && (contact.Err != nil || contact.Tried.IsZero()) {
				t.Errorf("the contact that took us in is listed as %+v", contact)
			}
			if contact.Node != node("seed2@h") && !contact.Tried.IsZero() && !errors.Is(contact.Err, errRefused) {
				t.Errorf("%s is listed with %v, want what its attempt came to", contact.Node, contact.Err)
			}
		}
		if got := len(b.Contacts()); got != 3 {
			t.Errorf("%d contacts listed, want each once", got)
		}
	})
}

func TestTheOwnNameIsSkipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		b := start(t, c, node("self@h"))
		other := start(t, c, node("self@h"), node("seed@h"))
		time.Sleep(time.Minute)
		if n := c.tried(node("self@h")); n > 0 {
			t.Errorf("the node knocked at itself %d times", n)
		}
		if len(b.Contacts()) != 0 || len(other.Contacts()) != 1 {
			t.Errorf("contacts %v and %v, want none and the seed", b.Contacts(), other.Contacts())
		}
	})
}

func TestALateSeedIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		seed := node("seed@h")
		b := start(t, c, seed)
		time.Sleep(20 * time.Second)
		if contacts := b.Contacts(); !errors.Is(contacts[0].Err, errRefused) || contacts[0].Tried.IsZero() {
			t.Errorf("while the seed is away it is listed as %+v", contacts[0])
		}
		c.set(func() { c.answers[seed] = true })
		time.Sleep(retry*5/4 + time.Second)
		if c.alone() {
			t.Error("the seed was not found within one retry of its start")
		}
		if contacts := b.Contacts(); contacts[0].Err != nil {
			t.Errorf("after joining the seed is listed with %v", contacts[0].Err)
		}
	})
}

func TestStopsKnockingWhenNotAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		seeds := []name.Node{node("seed1@h"), node("seed2@h"), node("seed3@h")}
		start(t, c, seeds...)
		time.Sleep(100 * time.Millisecond) // the first has been tried; somebody links to us
		c.set(func() { c.joined = true })
		time.Sleep(10 * time.Minute)
		if n := c.total(); n != 1 {
			t.Errorf("%d attempts, want none after the node got a neighbour", n)
		}
		c.set(func() { c.joined, c.left = false, true })
		time.Sleep(10 * time.Minute)
		if n := c.total(); n != 1 {
			t.Errorf("%d attempts, want none after the node has left", n)
		}
		c.set(func() { c.left = false })
		time.Sleep(retry*5/4 + time.Second)
		if n := c.total(); n < 4 {
			t.Errorf("%d attempts, want that a node that is alone again knocks at everybody", n)
		}
	})
}

// Two islands: this one has neighbours, and knows nothing of a contact that lives.
func TestAContactThatTheClusterDoesNotHaveIsTriedNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		c.joined = true
		c.strangers = map[name.Node]bool{node("seed2@h"): true}
		start(t, c, node("seed1@h"), node("seed2@h"))
		time.Sleep(10 * time.Minute)
		if n := c.tried(node("seed2@h")); n < 5 || n > 12 {
			t.Errorf("the stranger was tried %d times in ten minutes, want about once a minute", n)
		}
		if n := c.tried(node("seed1@h")); n != 0 {
			t.Errorf("a member was tried %d times", n)
		}
		before := c.total()
		c.set(func() { c.left = true })
		time.Sleep(10 * time.Minute)
		if c.total() != before {
			t.Error("a node that has left knocked")
		}
	})
}

func TestAHangingContactDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		black, late := node("blackhole@h"), node("late@h")
		c.hangs[black] = true
		b := start(t, c, black, late)
		time.Sleep(6 * time.Second)
		c.set(func() { c.answers[late] = true })
		time.Sleep(retry*5/4 + time.Second)
		if c.alone() {
			t.Error("a contact that hangs kept the node from the one that answers")
		}
		synctest.Wait()
		i := slices.IndexFunc(b.Contacts(), func(x bootstrap.Contact) bool { return x.Node == black })
		if got := b.Contacts()[i]; errors.Is(got.Err, context.Canceled) {
			t.Errorf("an attempt that was spared is listed as %v", got.Err)
		}
	})
}

func TestATimeoutIsListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		c.hangs[node("blackhole@h")] = true
		b := start(t, c, node("blackhole@h"))
		time.Sleep(retry + 11*time.Second)
		if got := b.Contacts()[0]; !errors.Is(got.Err, context.DeadlineExceeded) {
			t.Errorf("listed as %+v, want that time ran out", got)
		}
	})
}

func TestAPanicInJoinIsContained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		c.panics[node("bad@h")] = true
		b := start(t, c, node("bad@h"))
		time.Sleep(20 * time.Second)
		if n := c.tried(node("bad@h")); n < 3 {
			t.Errorf("%d attempts, want that it goes on", n)
		}
		if b.Contacts()[0].Err == nil {
			t.Error("an attempt that panicked is listed as a success")
		}
	})
}

func TestStopAndStartAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		c.hangs[node("blackhole@h")] = true
		b := start(t, c, node("blackhole@h"), node("seed@h"))
		time.Sleep(time.Second)
		begin := time.Now()
		must(t, b.Stop(t.Context()))
		must(t, b.Stop(t.Context()))
		if took := time.Since(begin); took > 0 {
			t.Errorf("Stop took %v", took)
		}
		before := c.total()
		time.Sleep(time.Minute)
		if c.total() != before {
			t.Error("a stopped block knocks")
		}
		c.set(func() { c.answers[node("seed@h")] = true })
		must(t, b.Start(t.Context()))
		time.Sleep(time.Second)
		if c.alone() {
			t.Error("not joined after the second start")
		}
	})
}

// TestFoundNodesStandInForContacts: with all contacts gone for good, what discovery lists
// leads back.
func TestFoundNodesStandInForContacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		c.joined = true
		b := start(t, c, node("gone@h"))
		time.Sleep(time.Minute)
		if c.total() != 0 {
			t.Fatalf("%d attempts of a node with neighbours", c.total())
		}
		c.set(func() {
			c.joined = false
			c.answers[node("other@h")] = true
			c.listed = []name.Node{node("self@h"), node("gone@h"), node("other@h")}
		})
		time.Sleep(2 * retry)
		if c.alone() || c.tried(node("other@h")) != 1 || c.tried(node("self@h")) != 0 {
			t.Errorf("alone: %t, attempts %v", c.alone(), c.attempts)
		}
		if got := b.Contacts(); len(got) != 1 || got[0].Err == nil {
			t.Errorf("contacts %+v, want the configured one only", got)
		}
	})
}
