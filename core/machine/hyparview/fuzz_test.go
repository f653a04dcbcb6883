package hyparview

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// plain is a Book in which the record of a peer is its number.
type plain struct{}

func (plain) Record(p overlay.Peer) []byte { return binary.BigEndian.AppendUint32(nil, uint32(p)) }

func (plain) Peer(record []byte) (overlay.Peer, bool) {
	if len(record) != 4 {
		return 0, false
	}
	return overlay.Peer(binary.BigEndian.Uint32(record)), true
}

func sampleMessages() []Message {
	full := Message{Kind: Shuffle, TTL: 6, Subject: 9}
	for p := range overlay.Peer(MaxIDs) {
		full.add(p + 1)
	}
	return []Message{
		{Kind: Join}, {Kind: ForwardJoin, TTL: 6, Subject: 7}, {Kind: Neighbor, Flags: High}, {Kind: Neighbor},
		{Kind: Reply, Flags: Accept}, {Kind: Reply, Flags: Gone}, {Kind: Reply}, {Kind: Disconnect}, {Kind: Disconnect, Flags: Gone},
		{Kind: Disconnect, Subject: 7},
		full, {Kind: ShuffleReply, Count: 2, IDs: [MaxIDs]overlay.Peer{3, 4}}, {Kind: ShuffleReply},
	}
}

func TestFrames(t *testing.T) {
	for _, msg := range sampleMessages() {
		frame := Encode(nil, &msg, plain{})
		got, err := Decode(frame, plain{})
		if err != nil || got != msg {
			t.Errorf("%+v became %+v, %v", msg, got, err)
		}
		for n := range frame {
			if _, err := Decode(frame[:n], plain{}); !errors.Is(err, ErrFrame) {
				t.Errorf("%+v: the first %d of %d bytes: %v", msg, n, len(frame), err)
			}
		}
	}
}

// A good-bye counts whoever it names, also one that proves nothing here.
func TestAGoodByeForNobodyIsOne(t *testing.T) {
	frame := []byte{'H', 1, byte(Disconnect), 0, 0, 0, 1, 9, 0}
	if msg, err := Decode(frame, plain{}); err != nil || msg != (Message{Kind: Disconnect}) {
		t.Errorf("%+v, %v", msg, err)
	}
	frame[4] = Gone
	if msg, err := Decode(frame, plain{}); !errors.Is(err, ErrFrame) {
		t.Errorf("who leaves has no heir: %+v, %v", msg, err)
	}
}

func TestHostileFrames(t *testing.T) {
	record := []byte{0, 4, 0, 0, 0, 7}
	for name, frame := range map[string][]byte{
		"nothing":             {},
		"other protocol":      {'F', 1, 1, 0, 0, 0, 0, 0},
		"other version":       {'H', 2, 1, 0, 0, 0, 0, 0},
		"kind 0":              {'H', 1, 0, 0, 0, 0, 0, 0},
		"kind 8":              {'H', 1, 8, 0, 0, 0, 0, 0},
		"trailing byte":       {'H', 1, 1, 0, 0, 0, 0, 0, 0},
		"join with TTL":       {'H', 1, 1, 1, 0, 0, 0, 0},
		"unknown flag":        {'H', 1, 3, 0, 8, 0, 0, 0},
		"walk of nobody":      {'H', 1, 2, 6, 0, 0, 0, 0},
		"record out of frame": {'H', 1, 2, 6, 0, 3, 255, 0},
		"record too long":     append(append([]byte{'H', 1, 2, 6, 0, 4, 1}, make([]byte, 1025)...), 0),
		"17 ids":              append([]byte{'H', 1, 7, 0, 0, 0, 0, 17}, bytes.Repeat(record, 17)...),
		"empty id":            {'H', 1, 7, 0, 0, 0, 0, 1, 0, 0},
		"subject of no proof": {'H', 1, 2, 6, 0, 0, 1, 9, 0},
		"huge":                make([]byte, MaxFrame+1),
	} {
		if msg, err := Decode(frame, plain{}); !errors.Is(err, ErrFrame) {
			t.Errorf("%s: %+v, %v", name, msg, err)
		}
	}
	msg, err := Decode(append([]byte{'H', 1, 7, 0, 0, 0, 0, 2, 0, 1, 9}, record...), plain{})
	if err != nil || msg.Count != 1 || msg.IDs[0] != 7 {
		t.Errorf("an id that proves nothing is left out, got %+v, %v", msg, err)
	}
}

// FuzzDecode: no bytes crash it, and what decodes encodes to what decodes the same.
func FuzzDecode(f *testing.F) {
	for _, msg := range sampleMessages() {
		f.Add(Encode(nil, &msg, plain{}))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		msg, err := Decode(data, plain{})
		if err != nil {
			if !errors.Is(err, ErrFrame) {
				t.Fatalf("error %v is no ErrFrame", err)
			}
			return
		}
		again, err := Decode(Encode(nil, &msg, plain{}), plain{})
		if err != nil || again != msg {
			t.Fatalf("%+v became %+v, %v", msg, again, err)
		}
	})
}

// FuzzStep: any order of inputs leaves the machine whole and what it asks for bounded.
func FuzzStep(f *testing.F) {
	for i := range 8 {
		script := make([]byte, 400)
		rng := rand.New(rand.NewPCG(uint64(i), 0))
		for j := range script {
			script[j] = byte(rng.Uint32())
		}
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		cfg := Default()
		cfg.Active, cfg.Passive, cfg.Remember = 3, 6, 4
		m := New(1, 1, cfg, rand.New(rand.NewPCG(1, 1)))
		var out overlay.Effects[Message]
		var armed []overlay.Timer
		now := overlay.Time(0)
		for len(script) >= 5 {
			now += time.Duration(script[0]) * 20 * time.Millisecond
			in := scripted(script[1:5], armed)
			out.Reset()
			m.Step(now, &in, &out)
			script = script[5:]
			for _, a := range out.Timers {
				armed = append(armed, a.Timer)
			}
			if err := m.Check(); err != nil {
				t.Fatal(err)
			}
			if n := len(out.Sends) + len(out.Dials) + len(out.Closes); n > 4*maxAsks {
				t.Fatalf("%d effects of one step", n)
			}
		}
	})
}

// scripted makes an input of four bytes.
func scripted(b []byte, armed []overlay.Timer) overlay.Input[Message] {
	peer := overlay.Peer(b[1] % 16)
	in := overlay.Input[Message]{Peer: peer, Inc: uint64(b[2] % 3), Reason: overlay.Reason(b[3] % 11)}
	in.Kind = overlay.InKind(b[0]%7 + 1)
	in.Msg = Message{Kind: Kind(b[2] % 9), TTL: b[3], Flags: b[3] >> 4, Count: b[3], Subject: overlay.Peer(b[3] % 16)}
	for i := range in.Msg.IDs {
		in.Msg.IDs[i] = overlay.Peer(int(b[1]) * i % 40)
	}
	in.Cmd = overlay.Command{Op: overlay.Op(b[3] % 11), Peer: peer, Peers: in.Msg.IDs[:]}
	if len(armed) > 0 {
		in.Timer = armed[int(b[1])%len(armed)]
	}
	return in
}
