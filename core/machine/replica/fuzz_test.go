package replica

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/antientropy"
)

func sampleFrames() [][]byte {
	places := []place{{"n1@sim", 1, 2}, {"n2@sim", 1 << 60, 0}}
	hello := antientropy.Message{Kind: antientropy.Hello, Root: 1, Count: 5, Reply: true}
	return [][]byte{
		encode(&message{kind: pull, number: 1, places: places}), encode(&message{kind: data, number: 300, last: true, chunk: []byte("x")}),
		encode(&message{kind: data}), encode(&message{kind: more, number: 7}), encode(&message{kind: seek, id: 5, hops: 2, subject: "k1"}),
		encode(&message{kind: found, id: 5, places: places}), antientropy.Append(nil, &hello),
	}
}

// FuzzDecode: no bytes crash it, and what decodes survives a round trip.
func FuzzDecode(f *testing.F) {
	for _, frame := range sampleFrames() {
		f.Add(frame)
	}
	f.Fuzz(func(t *testing.T, bytes []byte) {
		m, err := decode(bytes)
		if err != nil {
			if !errors.Is(err, ErrFrame) && !antientropy.Is(bytes) {
				t.Fatalf("error %v is no ErrFrame", err)
			}
			return
		}
		second, err := decode(encode(&m))
		if err != nil || len(m.places)+len(m.chunk) > 0 && !reflect.DeepEqual(m, second) {
			t.Fatalf("%+v became %+v, %v", m, second, err)
		}
	})
}

// FuzzStep: whatever a peer sends, in whatever order, the machine stays whole and says
// little for each frame.
func FuzzStep(f *testing.F) {
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 0))
		script := make([]byte, 200)
		for i := range script {
			script[i] = byte(rng.Uint32())
		}
		f.Add(script, sampleFrames()[seed])
	}
	f.Fuzz(func(t *testing.T, script, frame []byte) {
		w := newWorld(t.Fatalf, 2, 1)
		w.link(0, 1)
		w.write(0, "k1", false)
		frames := append(sampleFrames(), frame)
		for _, b := range script[:min(len(script), 300)] {
			switch b % 4 {
			case 0, 1:
				w.step(0, Input{Kind: Frame, Node: node(1), Data: frames[int(b/4)%len(frames)]})
			case 2:
				w.step(0, Input{Kind: Broadcast, Data: frame})
			case 3:
				w.run(w.now + time.Duration(b)*time.Millisecond)
			}
			w.whole(w.lives[0])
		}
	})
}
