package plumtree

import (
	"runtime"
	"testing"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// A burst of messages, or of announcements, takes memory while it lasts and not for as
// long as the node runs.
func TestABurstIsNotPaidForForEver(t *testing.T) {
	const burst, most = 4000, 128 << 10
	cfg := Defaults()
	b := newBench(t, cfg, 2)
	before := inUse()
	for seq := range uint64(burst) {
		for _, msg := range []Message{announcing(ID{8, 1, seq + 1}), message(9, seq+1)} {
			b.m.Step(b.now, &overlay.Input[Message]{Kind: overlay.InMsg, Peer: 2, Msg: msg}, &b.out)
		}
	}
	if full := inUse() - before; full < 2*most {
		t.Errorf("a burst takes %d bytes, which shows nothing", full)
	}
	b.wait(cfg.MissingAge + 1)
	b.wait(cfg.CacheAge + cfg.CacheAge/sweeps)
	b.hear(2, message(9, burst+1))
	if s := b.m.Stats(); s.Cached != 1 || s.Missing != 0 {
		t.Fatalf("%+v", s)
	}
	if left := inUse() - before; left > most {
		t.Errorf("%d bytes are left of a burst, want %d at most", left, most)
	}
	runtime.KeepAlive(b)
}

func inUse() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
