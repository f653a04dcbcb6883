package registryormap

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	plugintest.Registry(t, plugintest.RegistryHarness{Replicates: true, New: func(t plugintest.T, env registry.Env) registry.Plugin {
		s := defaults()
		s.AntiEntropy = 100 * time.Millisecond
		return create(t, env, s)
	}})
}

func create(t plugintest.T, env registry.Env, s *Settings) registry.Plugin {
	p, err := Factory().New(env, s)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return p
}
