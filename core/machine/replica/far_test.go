package replica

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/core/machine/ownerlog"
)

// A node that joins a cluster with 10,000 entries of 200 bytes has them within 3 s, also
// when every answer takes 100 ms.
func TestANewcomerFarAwayHasAllSoon(t *testing.T) {
	const entries, way = 10_000, 50 * time.Millisecond
	var machines [2]*Machine
	var out Effects
	for i := range machines {
		cfg := Defaults()
		cfg.Log.Self, cfg.Log.Inc, cfg.Log.Verify = node(i), 1, verify
		cfg.Log.Sign = func(m []byte) ownerlog.Signature { return sign(node(i), m) }
		machines[i] = New(cfg, 0, rand.New(rand.NewPCG(1, uint64(i))))
	}
	for i := range entries {
		op := ownerlog.Op{Key: fmt.Sprintf("service/%d", i), Val: strings.Repeat("x", 180)}
		if err := machines[0].Write(0, op, &out); err != nil {
			t.Fatal(err)
		}
	}
	type frame struct {
		at   overlay.Time
		to   int
		data []byte
	}
	var wire []frame
	now, shown := time.Second, 0
	step := func(i int, in Input) {
		out.Reset()
		machines[i].Step(now, &in, &out)
		for _, s := range out.Sends {
			wire = append(wire, frame{now + way, 1 - i, s.Data})
		}
		if i == 1 {
			shown += len(out.Changes)
		}
	}
	step(0, Input{Kind: Tick})
	for i := range machines {
		step(i, Input{Kind: MemberUp, Node: node(1 - i), Inc: 1})
		step(i, Input{Kind: PeerUp, Node: node(1 - i)})
	}
	for shown < entries && now < time.Minute {
		if len(wire) > 0 && wire[0].at <= min(machines[0].Next(), machines[1].Next()) {
			f := wire[0]
			wire, now = wire[1:], f.at
			step(f.to, Input{Kind: Frame, Node: node(1 - f.to), Data: f.data})
			continue
		}
		now = max(now, min(machines[0].Next(), machines[1].Next()))
		step(0, Input{Kind: Tick})
		step(1, Input{Kind: Tick})
	}
	if took := now - time.Second; shown != entries || took > 3*time.Second {
		t.Errorf("%d of %d entries after %v", shown, entries, took)
	} else {
		t.Logf("%d entries after %v", shown, took)
	}
}
