package core_test

import (
	"context"
	"errors"
	"testing"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// nodesDown tells of the nodes that went down for the processes of a node.
func nodesDown(t *testing.T, n *core.Node) <-chan name.Node {
	t.Helper()
	ready, down := make(chan bool), make(chan name.Node, 100)
	proc, err := n.Spawn(core.Spec{Run: func(ctx context.Context, self *core.Self) error {
		self.MonitorNodes(true)
		close(ready)
		for {
			m, err := self.Receive(ctx)
			if err != nil {
				return err
			}
			if gone, ok := m.Value().(core.NodeDown); ok {
				down <- gone.Node
			}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { proc.Stop(); <-proc.Done() })
	<-ready
	return down
}

// Whoever asks for it ends a link: both sides see the other go down, what waits for an
// answer is told, nobody takes it for a death, and the next call links again.
func TestDisconnect(t *testing.T) {
	t.Parallel()
	f := newField(t)
	a, b := f.pair()
	begun := make(chan bool, 1)
	offer(t, b, "stuck", func(ctx context.Context, _ core.Message) (any, error) {
		begun <- true
		<-ctx.Done()
		return nil, ctx.Err()
	})
	offerEcho(t, b)
	here, there, events := nodesDown(t, a), nodesDown(t, b), record(t, a)
	ended := make(chan error, 1)
	go func() {
		_, err := call(t, a, "stuck@b@127.0.0.1", "")
		ended <- err
	}()
	<-begun

	if err := a.Disconnect(b.Name()); err != nil {
		t.Fatal(err)
	}
	if got := <-here; got != b.Name() {
		t.Errorf("at a %s is down", got)
	}
	if got := <-there; got != a.Name() {
		t.Errorf("at b %s is down", got)
	}
	if err := <-ended; !errors.Is(err, core.ErrNoConnection) {
		t.Errorf("the call that waited: %v", err)
	}
	if got, err := call(t, a, "echo@b@127.0.0.1", "again"); err != nil || got != "echo: again" {
		t.Errorf("afterwards: %q, %v", got, err)
	}
	if stateAt(a, b.Name()) != membership.Alive || len(events.all("member", "down")) > 0 {
		t.Errorf("a takes b for %s: %v", stateAt(a, b.Name()), events.all("member", "down"))
	}
	if err := a.Disconnect(name.MustNode("nobody@127.0.0.1")); !errors.Is(err, core.ErrNoLink) {
		t.Errorf("without a link: %v", err)
	}
}
