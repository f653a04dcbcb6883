package membershipfull

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	plugintest.Membership(t, plugintest.MembershipHarness{New: quick})
}

// quick makes the plugin with short timers.
func quick(t plugintest.T, env membership.Env) membership.Plugin {
	s := defaults()
	s.Retry, s.RetryMax = 20*time.Millisecond, 100*time.Millisecond
	s.SuspectTimeout, s.DialTimeout, s.JoinTimeout = 200*time.Millisecond, time.Second, 5*time.Second
	s.SyncPeriod = 200 * time.Millisecond
	p, err := Factory().New(env, s)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return p
}

// desk is a network with nobody in it; the test plays the peers.
type desk struct {
	mu     sync.Mutex
	events []string
	turned []name.Node // disconnected as too fast
	dials  int
	most   int
}

func (d *desk) Self() []name.Address { return []name.Address{name.MustAddress("self:1")} }

func (d *desk) Connect(ctx context.Context, _ name.Node, _ []name.Address) error {
	d.mu.Lock()
	d.dials++
	d.most = max(d.most, d.dials)
	d.mu.Unlock()
	<-ctx.Done()
	d.mu.Lock()
	d.dials--
	d.mu.Unlock()
	return ctx.Err()
}

func (d *desk) Send(name.Node, []byte) error { return membership.ErrBusy }

func (d *desk) Hold(name.Node, bool) {}

func (d *desk) Broadcast([]byte) error { return membership.ErrTooLarge }

func (d *desk) Public() trust.Key { return trust.Key{1} }

func (d *desk) Sign([]byte) [64]byte { return [64]byte{} }

func (d *desk) Flush(context.Context) error { return nil }

func (d *desk) Disconnect(node name.Node, code transport.CloseCode, _ string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if code == transport.CloseBusy {
		d.turned = append(d.turned, node)
	}
}

func (d *desk) emit(e membership.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events = append(d.events, string(e.Type)+" "+e.Node.Base())
}

// count is how often each event was told.
func (d *desk) count() map[string]int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := map[string]int{}
	for _, e := range d.events {
		n[e]++
	}
	return n
}

func atDesk(t *testing.T) (membership.Plugin, *desk) {
	t.Helper()
	d := &desk{}
	p := quick(t, membership.Env{Env: plugintest.Env(t, "self@h"), Network: d, Emit: d.emit, Signer: d})
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p, d
}

// joined plays a peer that takes this node in.
func joined(p membership.Plugin, base string) {
	p.Input(membership.Input{Kind: membership.LinkUp, Peer: peerNamed(base)})
	p.Input(frameFrom(base, 'F', 1, 2))
}

// TestStartAgain: a plugin that is stopped and started again remembers whom it knew
// and repeats no news of them; who is gone meanwhile is found out.
func TestStartAgain(t *testing.T) {
	p, d := atDesk(t)
	joined(p, "here")
	joined(p, "dead")
	plugintest.Eventually(t, "two neighbours", func() bool { return len(p.View().Active) == 2 })
	if err := p.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := p.Members(); len(got) != 3 || got[1].State != membership.Alive || got[1].Neighbour {
		t.Errorf("members while stopped: %+v", got)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	joined(p, "here")
	want := map[string]int{
		"member up here": 1, "peer up here": 2, "peer down here": 1, "member suspect here": 0,
		"member up dead": 1, "peer up dead": 1, "peer down dead": 1, "member suspect dead": 1, "member down dead": 1,
	}
	plugintest.Eventually(t, "the dead are down", func() bool {
		return p.Members()[0].State == membership.Down && d.count()["member down dead"] > 0
	})
	got := d.count()
	for event, n := range want {
		if got[event] != n {
			t.Errorf("%q told %d times, want %d", event, got[event], n)
		}
	}
}

func TestFloodIsTurnedOut(t *testing.T) {
	p, d := atDesk(t)
	joined(p, "flood")
	plugintest.Eventually(t, "the flood is turned out", func() bool {
		for range 1000 {
			p.Input(frameFrom("flood", 'F', 1, 9))
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		return len(d.turned) > 0
	})
}

func TestDialsAreBounded(t *testing.T) {
	p, d := atDesk(t)
	for i := range 60 {
		joined(p, "n"+string(rune('a'+i%26))+string(rune('a'+i/26)))
	}
	plugintest.Eventually(t, "60 neighbours", func() bool { return len(p.View().Active) == 60 })
	for _, node := range p.View().Active {
		p.Input(membership.Input{Kind: membership.LinkDown, Peer: membership.Peer{Node: node, Incarnation: 1}})
	}
	plugintest.Eventually(t, "all down", func() bool {
		return !slices.ContainsFunc(p.Members(), func(m membership.Member) bool {
			return m.Node.Base() != "self" && m.State != membership.Down
		})
	})
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.most > 16 || d.most == 0 {
		t.Errorf("%d dials at a time, want at most 16", d.most)
	}
}

func TestNotRunning(t *testing.T) {
	p, _ := atDesk(t)
	if err := p.Start(t.Context()); err == nil {
		t.Error("second Start: no error")
	}
	result := make(chan error)
	go func() { result <- p.Join(t.Context(), name.MustNode("far@h")) }()
	plugintest.Eventually(t, "a dial", func() bool {
		return slices.Contains(p.(*full).env.Tasks.Running(), "dial far@h")
	})
	if err := p.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-result; !errors.Is(err, plugin.ErrGone) {
		t.Errorf("Join during Stop: %v", err)
	}
	if err := p.Leave(t.Context()); !errors.Is(err, plugin.ErrGone) {
		t.Errorf("Leave after Stop: %v", err)
	}
	if h := p.(plugin.HealthReporter).Health(); h.State != plugin.Stopped {
		t.Errorf("health after Stop: %+v", h)
	}
}

// TestStaysLeft: a restart of the plugin does not end what Leave began.
func TestStaysLeft(t *testing.T) {
	p, _ := atDesk(t)
	if err := p.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, step := range []func(context.Context) error{p.Stop, p.Start} {
		if err := step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	joined(p, "visitor")
	p.Input(membership.Input{Kind: membership.LinkDown, Peer: peerNamed("visitor"), Code: transport.CloseIdle})
	if got := p.Members(); len(got) != 1 || got[0].State != membership.Left {
		t.Errorf("members: %+v, want this node only, left", got)
	}
	if got := p.(plugin.HealthReporter).Health(); got.Detail != "left; join to be back" {
		t.Errorf("health: %+v", got)
	}
}

func TestValidate(t *testing.T) {
	if got := defaults().Validate(); len(got) != 0 {
		t.Errorf("defaults: %+v", got)
	}
	got := (&Settings{Retry: time.Second, MaxMembers: 5000}).Validate()
	var paths []string
	for _, p := range got {
		paths = append(paths, p.Path)
	}
	slices.Sort(paths)
	want := []string{"dial_timeout", "forget_down", "forget_left", "join_timeout", "max_members", "retry_max", "retry_max", "suspect_timeout", "sync_period"}
	if !slices.Equal(paths, want) {
		t.Errorf("problems at %q, want %q", paths, want)
	}
}

func peerNamed(base string) membership.Peer {
	return membership.Peer{Node: name.MustNode(base + "@h"), Incarnation: 1}
}

func frameFrom(base string, data ...byte) membership.Input {
	return membership.Input{Kind: membership.Frame, Peer: peerNamed(base), Data: data}
}
