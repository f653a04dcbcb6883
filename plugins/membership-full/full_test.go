package membershipfull

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
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
