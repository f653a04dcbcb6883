package replica

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/ownerlog"
)

// Of a transfer no more is under way than a host takes in that does not read for a while,
// however long the entries are; and all of it comes when it reads.
func TestATransferWaitsForItsReader(t *testing.T) {
	cfg := Defaults()
	cfg.Log.Self, cfg.Log.Inc, cfg.Log.Verify = node(0), 1, verify
	cfg.Log.Sign = func(m []byte) ownerlog.Signature { return sign(node(0), m) }
	cfg.Log.MaxBytes = 8 << 20
	m := New(cfg, 0, rand.New(rand.NewPCG(1, 1)))
	var out Effects
	for i := range 2000 {
		op := ownerlog.Op{Key: fmt.Sprintf("service/%d", i), Val: strings.Repeat("x", 2000)}
		if err := m.Write(0, op, &out); err != nil {
			t.Fatal(err)
		}
	}
	inc, last := m.store.Position(node(0).String())
	m.Step(time.Second, &Input{Kind: PeerUp, Node: node(1)}, &out)
	var unread []int
	under, most, sent, over := 0, 0, 0, false
	step := func(frame *message) {
		out.Reset()
		m.Step(time.Second, &Input{Kind: Frame, Node: node(1), Data: encode(frame)}, &out)
		for _, s := range out.Sends {
			if msg, err := decode(s.Data); err == nil && msg.kind == data {
				unread, under, sent, over = append(unread, len(s.Data)), under+len(s.Data), sent+len(msg.chunk), msg.last
			}
		}
		most = max(most, under)
	}
	// Batches are sent as they were made, and are the longest entries there are.
	step(&message{kind: pull, places: []place{{node(0).String(), inc, last - 16}}})
	for len(unread) > 0 {
		under -= unread[0]
		unread = unread[1:]
		step(&message{kind: more})
	}
	if most > 512<<10 || sent < 1<<20 || !over {
		t.Errorf("%d bytes under way, %d sent in all, to the end: %v; want at most 512 KiB under way of more than 1 MiB", most, sent, over)
	}
}
