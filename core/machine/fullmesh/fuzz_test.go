package fullmesh

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

func sampleFrames() [][]byte {
	frames := [][]byte{bare(kindJoin), bare(kindWelcome), bare(kindLeave), encodeRefuse(refusedLeft, "node has left")}
	return append(frames, encodeMembers([]entry{
		{node: name.MustNode("a@h"), inc: 1},
		{node: name.MustNode("b@[fd00::1]"), inc: 1 << 60, endpoints: []name.Address{name.MustAddress("[fd00::1]:9100"), name.MustAddress("h:1")}},
	})...)
}

// FuzzDecode: no bytes crash it, and what decodes encodes to what decodes the same.
func FuzzDecode(f *testing.F) {
	for _, frame := range sampleFrames() {
		f.Add(frame)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		msg, err := decode(data)
		if err != nil {
			if !errors.Is(err, ErrFrame) {
				t.Fatalf("error %v is no ErrFrame", err)
			}
			return
		}
		again := bare(msg.kind)
		switch msg.kind {
		case kindMembers:
			again = encodeMembers(msg.members)[0]
		case kindRefuse:
			again = encodeRefuse(msg.code, msg.text)
		}
		second, err := decode(again)
		if err != nil || !reflect.DeepEqual(msg, second) {
			t.Fatalf("%+v became %+v, %v", msg, second, err)
		}
	})
}

// FuzzStep: any order of inputs, and any frames, leave the machine whole.
func FuzzStep(f *testing.F) {
	for i := range 8 {
		script := make([]byte, 200)
		rng := rand.New(rand.NewPCG(uint64(i), 0))
		for j := range script {
			script[j] = byte(rng.Uint32())
		}
		f.Add(script)
	}
	frames := sampleFrames()
	f.Fuzz(func(t *testing.T, script []byte) {
		cfg := testConfig(name.MustNode("self@h"), 1)
		cfg.MaxMembers = 5
		m, now := New(cfg, rand.New(rand.NewPCG(1, 1))), time.Duration(0)
		var out Effects
		for len(script) >= 4 {
			now += time.Duration(script[0]) * 20 * time.Millisecond
			m.Step(now, scripted(script[1], script[2], script[3], frames, script[4:]), &out)
			if err := m.Check(); err != nil {
				t.Fatal(err)
			}
			if out.Wake < now {
				t.Fatalf("wakes at %v, it is %v", out.Wake, now)
			}
			script = script[4:]
		}
	})
}

func scripted(what, who, how byte, frames [][]byte, rest []byte) Input {
	peer := peerOf(string(rune('a'+who%6)), uint64(who/6%3))
	switch what % 9 {
	case 0:
		return LinkUp(peer)
	case 1:
		return LinkDown(peer, transport.CloseCode(how%11))
	case 2, 3:
		return Frame(peer, frames[int(how)%len(frames)])
	case 4:
		return Frame(peer, append(bare(kind(how%6)), rest[:min(len(rest), 64)]...))
	case 5:
		return Connected(peer.Node, map[bool]error{true: errNobody}[how%2 == 0])
	case 6:
		return Join(uint64(how), peer.Node)
	case 7:
		if how%8 == 0 {
			return Leave(uint64(how))
		}
		return Cancel(uint64(how))
	}
	return Tick()
}

// TestMembersAreChunked: a list of any length goes out in frames of the legal size and
// arrives whole.
func TestMembersAreChunked(t *testing.T) {
	var sent, got []entry
	for i := range 4096 {
		n := name.MustNode(string(bytes.Repeat([]byte{'n'}, 1+i%200)) + "@h")
		sent = append(sent, entry{node: n, inc: uint64(i), endpoints: []name.Address{name.MustAddress("h:1")}})
	}
	for _, frame := range encodeMembers(sent) {
		msg, err := decode(frame)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, msg.members...)
	}
	if !reflect.DeepEqual(sent, got) {
		t.Errorf("sent %d members, %d arrived, or others", len(sent), len(got))
	}
}

func BenchmarkStepFrame(b *testing.B) {
	m := New(testConfig(name.MustNode("self@h"), 1), rand.New(rand.NewPCG(1, 1)))
	var out Effects
	frame := bare(kindWelcome)
	for i := range 50 {
		m.Step(0, Frame(peerOf("n"+strconv.Itoa(i), 1), frame), &out)
	}
	p := peerOf("n1", 1)
	b.ReportAllocs()
	for b.Loop() {
		m.Step(1, Frame(p, frame), &out)
	}
}
