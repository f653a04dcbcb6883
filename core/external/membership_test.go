package external

import (
	"context"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
)

// A node that leaves while a new process is on its way back into the cluster stays out:
// the process is not sent back again.
func TestALeaveIsNotUndoneByTheReturn(t *testing.T) {
	opts := quick()
	opts.Settle = time.Hour // for as long the return would be tried
	env := membership.Env{Env: plugintest.Env(t, "self@h"), Emit: func(membership.Event) {}, Signer: nobody{}}
	made, err := Membership(self(t, plugin.Membership, "membership"), opts).New(env, &plugin.Section{})
	if err != nil {
		t.Fatal(err)
	}
	facade, _ := made.(*membershipFacade)
	if err := made.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := made.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("Stop: %v", err)
		}
	}()
	made.Input(membership.Input{Kind: membership.LinkUp, Peer: membership.Peer{Node: name.MustNode("b@h"), Incarnation: 1}})
	plugintest.Eventually(t, "a neighbour", func() bool { return len(made.View().Active) == 1 })
	live, _ := facade.now()
	over := make(chan struct{})
	go func() { defer close(over); facade.comeBack(t.Context(), live.half) }()
	plugintest.Eventually(t, "the return", func() bool { return len(made.View().Passive) == 1 })
	if err := made.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	plugintest.Eventually(t, "the end of the return", func() bool {
		select {
		case <-over:
			return true
		default:
			return false
		}
	})
	if joined := made.View().Passive; len(joined) != 1 {
		t.Errorf("joins: %v, want the one that was under way", joined)
	}
}
