package liveness

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// numbers is a host to which every number is a handle, and every proof is good that
// begins with a 1.
type numbers struct{}

func (numbers) ID(p overlay.Peer) uint64    { return uint64(p) }
func (numbers) Peer(id uint64) overlay.Peer { return overlay.Peer(id) }
func (numbers) Prove(id uint64, e *Entry) {
	e.Peer, e.Verified = overlay.Peer(id), len(e.Proof.Record) > 0 && e.Proof.Record[0] == 1
}

func sampleFrames() [][]byte {
	proof := &Proof{Record: []byte{1, 2}, Sig: []byte{3}}
	alive := Entry{Peer: 3, State: Alive, Inc: 7, Ref: 1, Count: 9, Age: 30 * millisecond, Proof: proof}
	bare := Entry{Peer: 2, State: Down, Inc: 1, Age: 70_000 * millisecond}
	var frames [][]byte
	for _, m := range []Message{
		{Kind: Announce, Entries: []Entry{alive}},
		{Kind: Obituary, Peer: 3, Sig: []byte("s"), Entries: []Entry{{Peer: 2, State: Suspect, Inc: 1}}},
		{Kind: Obituary, Peer: 4, Entries: []Entry{{Peer: 1, State: Suspect, Inc: 5}}},
		{Kind: Doubt, Entries: []Entry{{Peer: 1, State: Down, Inc: 5}}},
		{Kind: Ping, Nonce: 1}, {Kind: Pong, Nonce: 2}, {Kind: Ask, Peer: 2, Nonce: 3}, {Kind: Answer, Peer: 2},
		{Kind: Counters, Counts: []Count{{Peer: 2, Count: 4, Tag: 1, Age: 2}, {Peer: 3, Count: 400, Tag: 7}}},
		{Kind: Compare, Sums: make([]uint64, buckets)}, {Kind: Differ, Sums: make([]uint64, buckets)},
		{Kind: Table, Entries: []Entry{bare, {Peer: 9, State: Alive, Inc: 2}}},
		{Kind: Want, Entries: []Entry{bare}}, {Kind: Stale, Entries: []Entry{bare}},
		{Kind: Records, Entries: []Entry{alive, {Peer: 2, State: Left, Inc: 1, Proof: proof}}},
	} {
		frames = append(frames, Append(nil, &m, numbers{}))
	}
	return frames
}

// FuzzDecode: no bytes crash it, what decodes has the size it says, and encodes to what
// decodes the same.
func FuzzDecode(f *testing.F) {
	for _, frame := range sampleFrames() {
		f.Add(frame)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Decode(data, numbers{})
		if err != nil {
			if !errors.Is(err, ErrFrame) {
				t.Fatalf("error %v is no ErrFrame", err)
			}
			return
		}
		again := Append(nil, &m, numbers{})
		if len(again) != m.Size() {
			t.Fatalf("%+v: %d bytes, size %d", m, len(again), m.Size())
		}
		second, err := Decode(again, numbers{})
		if err != nil || !reflect.DeepEqual(m, second) {
			t.Fatalf("%+v became %+v, %v", m, second, err)
		}
	})
}

// FuzzStep: any order of inputs, and any frames, leave the machine whole.
func FuzzStep(f *testing.F) {
	for i := range 8 {
		script := make([]byte, 300)
		rng := rand.New(rand.NewPCG(uint64(i), 0))
		for j := range script {
			script[j] = byte(rng.Uint32())
		}
		f.Add(script)
	}
	frames := sampleFrames()
	f.Fuzz(func(t *testing.T, script []byte) {
		cfg := Defaults()
		cfg.MaxMembers, cfg.MaxWatermarks, cfg.Quarantine, cfg.Watermark = 6, 3, 1e10, 3e10
		m := New(cfg, 1, 5, 0, rand.New(rand.NewPCG(1, 1)), []Entry{{Peer: 2, State: Alive, Inc: 1}})
		now := overlay.Time(0)
		var out overlay.Effects[Message]
		for ; len(script) >= 4; script = script[4:] {
			now += overlay.Time(script[0]) * 20 * millisecond
			in := scripted(m, script, frames)
			out.Reset()
			m.Step(now, &in, &out)
			if err := m.Check(); err != nil {
				t.Fatalf("after %+v: %v", in, err)
			}
			for i := range out.Sends {
				data := Append(nil, &out.Sends[i].Msg, numbers{})
				if _, err := Decode(data, numbers{}); err != nil {
					t.Fatalf("says what nobody understands: %v", err)
				}
			}
		}
	})
}

// scripted makes an input of some bytes.
func scripted(m *Machine, b []byte, frames [][]byte) overlay.Input[Message] {
	peer := overlay.Peer(b[2] % 8)
	switch b[1] % 8 {
	case 0:
		return overlay.Input[Message]{Kind: overlay.InLinkUp, Peer: peer, Inc: uint64(b[3] % 4)}
	case 1:
		return overlay.Input[Message]{Kind: overlay.InLinkDown, Peer: peer, Inc: uint64(b[3] % 4), Reason: overlay.Reason(b[3] / 4 % 11)}
	case 2:
		return overlay.Input[Message]{Kind: overlay.InTimer, Timer: overlay.Timer{Owner: overlay.Liveness, Gen: m.gen}}
	case 3:
		ops := []overlay.Op{overlay.OpJoin, overlay.OpLeave, overlay.OpTick, OpTree}
		return overlay.Input[Message]{Kind: overlay.InCommand, Cmd: overlay.Command{Op: ops[b[3]%4], Peers: []overlay.Peer{peer}}}
	}
	frame := append([]byte(nil), frames[int(b[3])%len(frames)]...)
	if len(frame) > 4 && b[1] > 100 { // bend it
		frame[3+int(b[0])%(len(frame)-3)] = b[2]
	}
	msg, err := Decode(frame, numbers{})
	if err != nil {
		return overlay.Input[Message]{Kind: overlay.InPersisted}
	}
	msg.Verified = b[1]%16 < 12
	return overlay.Input[Message]{Kind: overlay.InMsg, Peer: peer, Msg: msg}
}
