package plumtree

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

func sampleFrames() [][]byte {
	a, b := ID{Origin: 7, Life: 1, Seq: 1}, ID{Origin: 7, Life: 1, Seq: 2}
	far := ID{Origin: 1 << 63, Life: 1 << 53, Seq: 1 << 40}
	var frames [][]byte
	for _, m := range []Message{
		{Kind: Gossip, Eager: true, Version: 3, Round: 2, ID: a, Key: 5, Data: []byte("payload")},
		{Kind: Gossip, ID: b, Round: 1}, {Kind: Gossip, Eager: true, ID: far},
		{Kind: IHave, Version: 1, List: []Announce{{a, 1}, {b, 9}, {far, 300}}}, {Kind: IHave, Eager: true},
		{Kind: Graft, Eager: true, Version: 300, List: []Announce{{b, 1}}}, {Kind: Prune, Version: 4},
		{Kind: Gone, Version: 4, List: []Announce{{a, 1}, {far, 1}}},
	} {
		frames = append(frames, Append(nil, &m))
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
		m, err := Decode(data)
		if err != nil {
			if !errors.Is(err, ErrFrame) {
				t.Fatalf("error %v is no ErrFrame", err)
			}
			return
		}
		again := Append(nil, &m)
		if len(again) != m.Size() {
			t.Fatalf("%+v: %d bytes, size %d", m, len(again), m.Size())
		}
		second, err := Decode(again)
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
		cfg.CacheCount, cfg.MaxMissing, cfg.MaxQueue, cfg.MaxAnnouncer, cfg.MaxOrigins = 4, 3, 3, 2, 3
		m, now := New(cfg, 1, 5), overlay.Time(0)
		var out overlay.Effects[Message]
		for ; len(script) >= 4; script = script[4:] {
			now += overlay.Time(script[0]) * 5 * time.Millisecond
			in := scripted(m, script, frames)
			out.Reset()
			m.Step(now, &in, &out)
			for i := range out.Sends {
				if s := &out.Sends[i]; script[1]%5 == 0 && s.To != overlay.Nobody {
					msg := s.Msg
					m.Unsent(now, s.To, &msg, &out)
				}
			}
			if err := m.Check(); err != nil {
				t.Fatalf("after %+v: %v", in, err)
			}
		}
	})
}

// scripted makes an input of some bytes.
func scripted(m *Machine, b []byte, frames [][]byte) overlay.Input[Message] {
	peer := overlay.Peer(b[2] % 5)
	switch b[1] % 8 {
	case 0:
		return overlay.Input[Message]{Kind: overlay.InLinkUp, Peer: peer}
	case 1:
		return overlay.Input[Message]{Kind: overlay.InLinkDown, Peer: peer}
	case 2:
		return overlay.Input[Message]{Kind: overlay.InTimer, Timer: overlay.Timer{Owner: overlay.Plumtree, Gen: m.gen}}
	case 3:
		ops := []overlay.Op{overlay.OpBroadcast, overlay.OpSlow, overlay.OpFast}
		return overlay.Input[Message]{Kind: overlay.InCommand, Cmd: overlay.Command{Op: ops[b[3]%3], Peer: peer, Data: b[:2]}}
	}
	frame := append([]byte(nil), frames[int(b[3])%len(frames)]...)
	if len(frame) > 4 && b[1] > 60 { // bend it
		frame[4+int(b[0])%(len(frame)-4)] = b[2]
	}
	msg, err := Decode(frame)
	if err != nil {
		return overlay.Input[Message]{Kind: overlay.InPersisted}
	}
	return overlay.Input[Message]{Kind: overlay.InMsg, Peer: peer, Msg: msg}
}
