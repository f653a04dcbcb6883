package core_test

import (
	"context"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
	membershipfull "github.com/barrelp2p/barrel/plugins/membership-full"
)

// insider is a node whose environment for membership the test has in hand.
type insider struct {
	*core.Node
	env membership.Env
}

func (l *lab) insider(node string) *insider {
	l.t.Helper()
	in := &insider{}
	build := givenBy[membership.Plugin, membership.Env](membershipfull.Factory())
	in.Node = l.run(l.make(l.load(node, l.t.TempDir()), core.WithMembership("full", func(env membership.Env) (membership.Plugin, error) {
		in.env = env
		return build(env)
	})))
	return in
}

// part is two memberships that let their link go.
func part(a, b *insider) {
	for _, ends := range [][2]*insider{{a, b}, {b, a}} {
		env, node := ends[0].env, ends[1].Name()
		env.Emit(membership.Event{Type: membership.PeerDown, Node: node, Reason: "no room for it"})
		env.Network.Disconnect(node, transport.CloseDropped, "no room for it")
	}
}

// What membership lets go is closed soon, unless somebody else is using it.
func TestMembershipLetsALinkGoAndACallKeepsIt(t *testing.T) {
	field := newField(t)
	a, b, c := field.insider("a@127.0.0.1"), field.insider("b@127.0.0.1"), field.insider("c@127.0.0.1")
	field.join(b.Node, a.Node)
	field.join(c.Node, a.Node)
	asked, answer := make(chan struct{}), make(chan struct{})
	offer(t, b.Node, "slow", func(context.Context, core.Message) (any, error) {
		close(asked)
		<-answer
		return []byte("at last"), nil
	})
	called := make(chan error, 1)
	go func() {
		out, err := a.Call(t.Context(), "slow@"+b.Name().String(), nil)
		if err == nil && string(out) != "at last" {
			t.Errorf("the call brought %q", out)
		}
		called <- err
	}()
	<-asked
	events := record(t, a.Node)
	began := time.Now()
	part(a, b)
	part(a, c)
	down := events.first("link", "down")
	within(t, "a link that was let go is closed", began, patience)
	if down.Node != c.Name() || down.Extra["code"] != transport.CloseIdle.String() {
		t.Errorf("the first link that went down: %+v; want the one to c, as idle", down)
	}
	close(answer)
	if err := <-called; err != nil {
		t.Errorf("the call over a link that was let go: %v", err)
	}
	if n := len(ofNode(events.all("link", "down"), b.Name())); n > 0 {
		t.Errorf("the link under the call went down")
	}
}

func ofNode(events []core.Event, node name.Node) (found []core.Event) {
	for _, e := range events {
		if e.Node == node {
			found = append(found, e)
		}
	}
	return found
}

// A link that should not be is closed at once, whoever uses it.
func TestMembershipClosesALinkThatShouldNotBe(t *testing.T) {
	field := newField(t)
	a, b := field.insider("a@127.0.0.1"), field.insider("b@127.0.0.1")
	field.join(b.Node, a.Node)
	offerEcho(t, b.Node)
	if _, err := call(t, a.Node, "echo@"+b.Name().String(), "hello"); err != nil {
		t.Fatal(err)
	}
	events := record(t, b.Node)
	a.env.Network.Disconnect(b.Name(), transport.CloseRefused, "another runs under the name")
	if down := events.first("link", "down"); down.Extra["code"] != transport.CloseRefused.String() {
		t.Errorf("the link went down with %+v", down)
	}
}
