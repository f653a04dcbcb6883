package handshake

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"unicode/utf8"
)

// fuzzModes are those in which a side proves something that the fuzzer cannot.
func fuzzModes() []mode { return modes()[:3] }

func FuzzHello(f *testing.F) {
	for _, m := range modes() {
		p := m.pair().run()
		f.Add(p.dialer.sent[0])
		f.Add(p.acceptor.sent[0])
		f.Add(append(slices.Clone(p.dialer.sent[0]), 0, 1, 0, 2, 'x', 'y'))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		v, r, bad := openHello(body)
		if bad != nil {
			return
		}
		h, bad := readHello(v, r)
		if bad != nil {
			if len(bad.Text) > MaxText || bad.Code.Err() == nil {
				t.Errorf("refusal %+v", bad)
			}
			return
		}
		if len(h.Endpoints) > MaxEndpoints || h.Node.IsZero() {
			t.Errorf("accepted %+v", h)
		}
		if again := h.encode(); !bytes.HasPrefix(body, again) {
			t.Errorf("read and written again\n%x\n%x", body, again)
		}
	})
}

func FuzzProof(f *testing.F) {
	for _, m := range modes() {
		f.Add(m.pair().run().dialer.sent[1])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if messageOf(body) != msgProof {
			return
		}
		if p, bad := readProof(body); bad == nil && !bytes.Equal(p.encode(), body) {
			t.Errorf("read and written again\n%x\n%x", body, p.encode())
		}
	})
}

func FuzzAcceptAndDone(f *testing.F) {
	f.Add(encodeAccept(fill(3)))
	f.Add(encodeDone())
	f.Fuzz(func(t *testing.T, body []byte) {
		switch messageOf(body) {
		case msgAccept:
			if digest, bad := readAccept(body); bad == nil && !bytes.Equal(encodeAccept(digest), body) {
				t.Errorf("accepted %x", body)
			}
		case msgDone:
			if bad := readDone(body); bad == nil && !bytes.Equal(encodeDone(), body) {
				t.Errorf("accepted %x", body)
			}
		}
	})
}

func FuzzRefuse(f *testing.F) {
	f.Add(encodeRefuse(CodeCluster, "other cluster"))
	f.Add([]byte("\x04\xff\xff\x1b[2J\xff\u202e"))
	f.Fuzz(func(t *testing.T, body []byte) {
		if messageOf(body) != msgRefuse {
			return
		}
		told, bad := readRefuse(body)
		if bad != nil {
			return
		}
		if !told.Remote || len(told.Text) > MaxText || !utf8.ValidString(told.Text) || printable(told.Text) != told.Text {
			t.Errorf("read %+v", told)
		}
		if again, bad := readRefuse(encodeRefuse(told.Code, told.Text)); bad != nil || *again != *told {
			t.Errorf("%+v, again %+v, %v", told, again, bad)
		}
	})
}

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte("\x00\x03abc\x00\x00\xff\xff"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := bytes.NewReader(stream)
		var again []byte
		for {
			body, err := ReadFrame(r)
			if err != nil {
				break
			}
			again = AppendFrame(again, body)
		}
		if !bytes.HasPrefix(stream, again) {
			t.Errorf("frames %x of %x", again, stream)
		}
	})
}

// FuzzStep feeds one side what it likes, after as many good frames as the first byte
// says, so that every state is reached. Only the good frames, all of them and nothing
// else, make it done: the fuzzer has neither key nor cookie.
func FuzzStep(f *testing.F) {
	sides := fuzzSides()
	for which, side := range sides {
		for prefix := range side.good {
			f.Add(append([]byte{byte(which | prefix<<4)}, goodScript(side.good[prefix:])...))
		}
	}
	f.Add([]byte{0, byte(Broken), byte(Tick), byte(Start), byte(Verdict)})
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) == 0 {
			return
		}
		side := sides[int(script[0]&0x0f)%len(sides)]
		s := side.run(t, int(script[0]>>4)%len(side.good), script[1:])
		if s.done && !slices.EqualFunc(s.fed, side.good, bytes.Equal) {
			t.Errorf("done with frames %x", s.fed)
		}
	})
}

// The seeds of FuzzStep do reach the end.
func TestGoodScriptsAreDone(t *testing.T) {
	for which, side := range fuzzSides() {
		for prefix := range side.good {
			if s := side.run(t, prefix, goodScript(side.good[prefix:])); !s.done {
				t.Errorf("side %d after %d frames is not done: %v", which, prefix, s.out.Failed)
			}
		}
	}
}

func goodScript(frames [][]byte) (script []byte) {
	for _, body := range frames {
		script = append(AppendFrame(append(script, byte(Frame)), body), byte(Verdict))
	}
	return script
}

// fuzzSide is a side, and the frames that make it done.
type fuzzSide struct {
	cfg  Config
	good [][]byte
}

func fuzzSides() (sides []fuzzSide) {
	for _, m := range fuzzModes() {
		p := m.pair().run()
		sides = append(sides,
			fuzzSide{p.dialer.m.cfg, p.acceptor.sent},
			fuzzSide{p.acceptor.m.cfg, p.dialer.sent})
	}
	return sides
}

func (side fuzzSide) run(t *testing.T, prefix int, script []byte) *fuzzRun {
	s := &fuzzRun{t: t, m: New(side.cfg, 0)}
	s.step(Input{Kind: Start})
	s.play(goodScript(side.good[:prefix]))
	s.play(script)
	return s
}

type fuzzRun struct {
	t    *testing.T
	m    *Machine
	out  Effects
	fed  [][]byte
	over bool
	done bool
}

func (s *fuzzRun) play(script []byte) {
	for len(script) > 0 {
		in := Input{Kind: InputKind(script[0] % 7)}
		script = script[1:]
		switch in.Kind {
		case Frame:
			n := len(script)
			if n >= 2 {
				n = min(int(binary.BigEndian.Uint16(script)), n-2)
				script = script[2:]
			}
			in.Frame, script = script[:n], script[n:]
		case Broken:
			in.Err = errors.New("broken")
		}
		s.step(in)
	}
}

func (s *fuzzRun) step(in Input) {
	s.m.Step(0, in, &s.out)
	if in.Kind == Frame && !s.over {
		s.fed = append(s.fed, in.Frame)
	}
	size := 0
	for _, body := range s.out.Send {
		size += len(body)
		if len(body) > MaxFrame || len(body) == 0 {
			s.t.Errorf("frame of %d bytes", len(body))
		}
	}
	ended := s.out.Done != nil || s.out.Failed != nil
	switch {
	case len(s.out.Send) > 2 || size > 2*MaxFrame:
		s.t.Errorf("%d frames, %d bytes", len(s.out.Send), size)
	case s.over && (ended || size > 0 || s.out.Ask != nil):
		s.t.Errorf("effects after the end: %+v", s.out)
	case s.out.Done != nil && s.out.Failed != nil:
		s.t.Error("done and failed")
	case !s.over && !ended && s.out.Deadline != 10*second:
		s.t.Errorf("deadline %s", s.out.Deadline)
	}
	s.over = s.over || ended
	s.done = s.done || s.out.Done != nil
}
