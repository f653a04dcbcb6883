package hyparview

import (
	"math/rand/v2"
	"slices"
)

// Clone is a machine that goes on from here by itself, for simulations.
func (m *Machine) Clone(rng *rand.Rand) *Machine {
	c := *m
	c.rng, c.out = rng, nil
	c.active = append(c.near[:0:inline], m.active...)
	c.passive = pool{peers: slices.Clone(m.passive.peers), info: slices.Clone(m.passive.info)}
	c.asks, c.memory, c.forced, c.rushed = slices.Clone(m.asks), slices.Clone(m.memory), slices.Clone(m.forced), slices.Clone(m.rushed)
	return &c
}
