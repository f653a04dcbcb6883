package transportmemory

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) { plugintest.Transport(t, harness()) }

// harness makes nodes that share one network.
func harness() plugintest.TransportHarness {
	factory := Factory()
	return plugintest.TransportHarness{
		New: func(t plugintest.T, node string) transport.Plugin {
			p, err := factory.New(plugintest.Env(t, node), factory.Settings())
			if err != nil {
				t.Fatalf("New: %v", err)
			}
			return p
		},
		Nobody: func(plugintest.T) name.Address { return name.MustAddress("mem:60000") },
	}
}
