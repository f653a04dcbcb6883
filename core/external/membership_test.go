package external

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
)

// startClub is a membership whose new processes are given time without end to learn what
// the one before knew.
func startClub(t *testing.T, emit func(membership.Event)) *membershipFacade {
	t.Helper()
	opts := quick()
	opts.Settle = time.Hour
	env := membership.Env{Env: plugintest.Env(t, "self@h"), Emit: emit, Signer: nobody{}}
	made, err := Membership(self(t, plugin.Membership, "membership"), opts).New(env, &plugin.Section{})
	if err != nil {
		t.Fatal(err)
	}
	if err := made.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := made.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	facade, _ := made.(*membershipFacade)
	return facade
}

// While there is no process, and until the next one has learned what that knew, the
// picture stands still, and health says so. A process that is stopped is no better.
func TestAMembershipThatIsGoneIsFrozen(t *testing.T) {
	for what, signal := range map[string]syscall.Signal{"killed": syscall.SIGKILL, "ended": syscall.SIGTERM} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			f := startClub(t, func(e membership.Event) { t.Errorf("told of %v", e) })
			f.Input(membership.Input{Kind: membership.Frame, Peer: membership.Peer{Node: name.MustNode("c@h"), Incarnation: 1}})
			plugintest.Eventually(t, "a member", func() bool { return len(f.Members()) == 1 })
			if h := f.Health(); h.State != plugin.Healthy {
				t.Errorf("before: %v", h)
			}
			pid := f.Process().PID
			_ = syscall.Kill(pid, signal)
			plugintest.Eventually(t, "frozen", func() bool {
				h := f.Health()
				return h.State == plugin.Degraded && strings.Contains(h.Detail, "frozen: 1 members")
			})
			plugintest.Eventually(t, "another process", func() bool { now := f.Process().PID; return now != pid && now != 0 })
			if h := f.Health(); !strings.Contains(h.Detail, "frozen: 1 members") || len(f.Members()) != 1 {
				t.Errorf("with the next process: %v, %v", h, f.Members())
			}
		})
	}
}

// A node that leaves while a new process is on its way back into the cluster stays out:
// the process is not sent back again.
func TestALeaveIsNotUndoneByTheReturn(t *testing.T) {
	facade := startClub(t, func(membership.Event) {}) // whose return would be tried for as long
	var made membership.Plugin = facade
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
