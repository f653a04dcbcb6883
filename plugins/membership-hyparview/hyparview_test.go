package membershiphyparview

import (
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/hyparview"
	"github.com/barrelp2p/barrel/core/machine/liveness"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
)

func TestConformance(t *testing.T) {
	plugintest.Membership(t, plugintest.MembershipHarness{New: quick})
}

// quick makes the plugin with short timers.
func quick(t plugintest.T, env membership.Env) membership.Plugin {
	p, err := Hasty(env)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return p
}

func hasty() *Settings {
	s := defaults()
	s.tune = func(hv *hyparview.Config, lv *liveness.Config) {
		hv.Shuffle, hv.Ask, hv.Retry, hv.RetryMax = time.Second, 3*time.Second, 20*time.Millisecond, 100*time.Millisecond
		hv.Reach, hv.Rejoin = 100*time.Millisecond, 50*time.Millisecond
		lv.Tick, lv.Round, lv.SuspectMin, lv.SuspectMax = 100*time.Millisecond, 100*time.Millisecond, 100*time.Millisecond, 300*time.Millisecond
		lv.Damp, lv.CounterMin, lv.Compare = 10*time.Millisecond, 500*time.Millisecond, 200*time.Millisecond
		lv.Spread, lv.Pulse = 100*time.Millisecond, 500*time.Millisecond
	}
	return s
}
