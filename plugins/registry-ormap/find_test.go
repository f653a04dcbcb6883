package registryormap

import (
	"errors"
	"fmt"
	"testing"

	"github.com/barrelp2p/barrel/core/machine/replica"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// asking is the network of a node with a neighbour that keeps what it is asked.
type asking struct {
	alone
	frames [][]byte
}

func (a *asking) Send(_ name.Node, frame []byte) error {
	if frame[0] == 'R' {
		a.frames = append(a.frames, frame)
	}
	return nil
}

// Searches are bounded. One too many is refused, not taken for a miss; those that are over
// do not count, and a miss is not asked for again at once.
func TestSearchesAreBounded(t *testing.T) {
	network, neighbour := &asking{}, name.MustNode("n@h")
	env := registry.Env{Env: plugintest.Env(t, "self@127.0.0.1"), Network: network, Signer: alone{}, Emit: func(registry.Event) {}}
	o := create(t, env, defaults()).(*ormap)
	o.running = true // and nothing ends by itself
	asked := func() int { return len(network.frames) }
	o.step(replica.Input{Kind: replica.PeerUp, Node: neighbour})
	seek := func(i int) (*seeker, error) { return o.seek(name.MustService(fmt.Sprint("s", i))) }
	for i := range seekersMost {
		if s, err := seek(i); s == nil || err != nil {
			t.Fatalf("search %d: %v", i, err)
		}
	}
	if s, err := seek(0); s == nil || err != nil || asked() != seekersMost {
		t.Errorf("joining a search: %v, %d asked", err, asked())
	}
	if _, err := seek(seekersMost); !errors.Is(err, registry.ErrBusy) {
		t.Errorf("a search too many: %v, want ErrBusy", err)
	}
	for _, frame := range network.frames[:seekersMost] {
		nobody := append(append([]byte{'R', 1, 5}, frame[3:11]...), 0) // FOUND, with the id, and no owner
		o.step(replica.Input{Kind: replica.Frame, Node: neighbour, Data: nobody})
	}
	o.step(replica.Input{Kind: replica.Tick})
	if s, err := seek(1); s == nil || !s.ended || err != nil || asked() != seekersMost {
		t.Errorf("a miss of a moment ago: %v, %d asked", err, asked())
	}
	if s, err := seek(seekersMost); s == nil || s.ended || err != nil || asked() != seekersMost+1 {
		t.Errorf("when the others are over: %v, %d asked", err, asked())
	}
}
