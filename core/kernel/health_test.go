package kernel

import (
	"testing"

	"github.com/barrelp2p/barrel/interfaces/plugin"
)

type reporter struct {
	fake
	answer func() plugin.Health
}

func (r *reporter) Health() plugin.Health { return r.answer() }

func TestHealthIsTheKernelsWordThenTheParts(t *testing.T) {
	tests := map[string]struct {
		answer func() plugin.Health
		want   plugin.Health
	}{
		"well":              {func() plugin.Health { return plugin.Health{State: plugin.Healthy, Detail: "3 links"} }, plugin.Health{State: plugin.Healthy, Detail: "3 links"}},
		"degraded":          {func() plugin.Health { return plugin.Health{State: plugin.Degraded, Detail: "2 broken files"} }, plugin.Health{State: plugin.Degraded, Detail: "2 broken files"}},
		"nothing to say":    {func() plugin.Health { return plugin.Health{} }, plugin.Health{State: plugin.Healthy}},
		"panics over it":    {func() plugin.Health { panic("nil map") }, plugin.Health{State: plugin.Degraded, Detail: "health: panicked: nil map"}},
		"failed in its way": {func() plugin.Health { return plugin.Health{State: plugin.Failed} }, plugin.Health{State: plugin.Failed}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d := &diary{}
			part := &reporter{fake{name: "a", diary: d}, test.answer}
			k := assembled(t, Options{}, Unit{Name: "a", Part: part})
			expectHealth(t, k, plugin.Health{State: plugin.New})
			if err := k.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			expectHealth(t, k, test.want)
			mustStop(t, k)
			expectHealth(t, k, plugin.Health{State: plugin.Stopped})
		})
	}
}

func expectHealth(t *testing.T, k *Kernel, want plugin.Health) {
	t.Helper()
	if got := k.Health()[0]; got.Name != "a" || got.Health != want {
		t.Errorf("health %+v, want %+v", got, want)
	}
}

func TestHealthIsInStartOrder(t *testing.T) {
	d := &diary{}
	k := assembled(t, Options{}, d.unit("z", "a"), d.unit("a"))
	if all := k.Health(); all[0].Name != "a" || all[1].Name != "z" {
		t.Errorf("health %v", all)
	}
	if New(Options{}).Health() == nil {
		t.Error("no parts must be an empty list, not nil")
	}
}
