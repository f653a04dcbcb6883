package service

import (
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"sync/atomic"

	"github.com/barrelp2p/barrel/interfaces/registry"
)

// Picker chooses one of several instances: it returns an index into the list, which has
// at least one entry and must not be changed.
type Picker func(list []registry.Entry) int

// Least picks the instance with the smallest number under a key of the metadata; among
// equals the first. An instance without such a number comes last.
func Least(key string) Picker {
	return func(list []registry.Entry) int {
		best, least, found := 0, 0.0, false
		for i := range list {
			n, err := strconv.ParseFloat(list[i].Meta[key], 64)
			if err == nil && (!found || n < least) {
				best, least, found = i, n, true
			}
		}
		return best
	}
}

// Random picks any.
func Random() Picker { return func(list []registry.Entry) int { return rand.IntN(len(list)) } }

// RoundRobin picks one after another. The turn is the picker's: use one picker for all
// questions that are to be spread.
func RoundRobin() Picker {
	var turn atomic.Uint64
	return func(list []registry.Entry) int { return int((turn.Add(1) - 1) % uint64(len(list))) }
}

// Sticky picks the same instance for the same key, on every node, as long as it is there;
// when others come and go, few keys move (rendezvous hashing, Thaler and Ravishankar,
// 1998).
func Sticky(key string) Picker {
	return func(list []registry.Entry) int {
		best, most := 0, uint64(0)
		for i := range list {
			h := fnv.New64a()
			_, _ = h.Write([]byte(key + "\x00" + list[i].Ref.String()))
			if weight := scramble(h.Sum64()); i == 0 || weight > most {
				best, most = i, weight
			}
		}
		return best
	}
}

// scramble spreads what FNV leaves close together (the finalizer of SplitMix64).
func scramble(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
