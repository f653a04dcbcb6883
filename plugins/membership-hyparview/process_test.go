package membershiphyparview_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/barrelp2p/barrel/core/external"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/sdk"
	membershiphyparview "github.com/barrelp2p/barrel/plugins/membership-hyparview"
)

// TestMain is also the plugin in a process of its own, with the timers of these tests,
// which no settings of a user give.
func TestMain(m *testing.M) {
	if os.Getenv(sdk.CookieName) != "" {
		sdk.Serve(plugin.Define("hyparview", "with short timers", plugin.NoDefaults, func(env membership.Env, _ *plugin.NoSettings) (membership.Plugin, error) {
			return membershiphyparview.Hasty(env)
		}), sdk.Version("1"))
	}
	goleak.VerifyTestMain(m)
}

// The first node of each check has its membership in a process, the others have it built
// in: they have to understand each other, and processes are costly.
func TestConformanceByTheProcessRoad(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	spec := external.Spec{Kind: plugin.Membership, Name: "hyparview", Command: program, Env: map[string]string{"GORACE": "atexit_sleep_ms=0"}}
	plugintest.MembershipProcess(t, plugintest.MembershipHarness{New: func(t plugintest.T, env membership.Env) membership.Plugin {
		apart := env.Node.Base() == "self" || env.Node.Base() == "a"
		p, err := membershiphyparview.Hasty(env)
		if apart {
			p, err = external.Membership(spec, external.Options{}).New(env, &plugin.Section{})
		}
		if err != nil {
			t.Fatalf("New: %v", err)
		}
		return p
	}})
}
