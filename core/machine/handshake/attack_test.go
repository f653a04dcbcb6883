package handshake

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
)

// A relay that ends the encryption on both sides and copies every frame: the two
// connections have two bindings, and nobody gets through in any mode.
func TestRelay(t *testing.T) {
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			d, a := dialerConfig(), acceptorConfig()
			m.set(&d, &a)
			d.Binding, a.Binding = fill(1), fill(2)
			kind, refuser := ErrProof, acceptor
			switch {
			case m.proof != Signed && len(d.Cookie) > 0:
				kind = ErrCookie
			case m.proof == None:
				refuser = dialer // the acceptor's digest is the first that tells
			}
			newPair(d, a).run().mustFail(t, refuser, kind)
		})
	}
}

// Frames of an earlier handshake of the same two nodes are worth nothing, not even on
// a connection with the same binding.
func TestReplay(t *testing.T) {
	old := newPair(dialerConfig(), acceptorConfig()).run()
	t.Run("to the acceptor", func(t *testing.T) {
		a := acceptorConfig()
		a.Nonce = fill(0x77)
		replayInto(t, New(a, 0), old.dialer.sent)
	})
	t.Run("to the dialer", func(t *testing.T) {
		d := dialerConfig()
		d.Nonce = fill(0x77)
		replayInto(t, New(d, 0), old.acceptor.sent)
	})
}

func replayInto(t *testing.T, m *Machine, frames [][]byte) {
	t.Helper()
	var out Effects
	m.Step(0, Input{Kind: Start}, &out)
	for _, body := range frames {
		m.Step(0, Input{Kind: Frame, Frame: body}, &out)
		if out.Ask != nil || out.Done != nil {
			t.Fatalf("%s got through", messageOf(body))
		}
		if out.Failed != nil {
			if !errors.Is(out.Failed, ErrProof) {
				t.Errorf("failed: %v", out.Failed)
			}
			return
		}
	}
	t.Error("the replay was not refused")
}

// A peer that sends back what it gets is found out at once, and so is one that turns
// the role around.
func TestReflection(t *testing.T) {
	for name, change := range map[string]func([]byte) []byte{
		"as it is":             func(b []byte) []byte { return b },
		"as the other side's":  setAt(12, byte(acceptor)),
		"with a nonce to hide": setAt(13, 1, 2, 3),
	} {
		m := New(dialerConfig(), 0)
		var out Effects
		m.Step(0, Input{Kind: Start}, &out)
		m.Step(0, Input{Kind: Frame, Frame: change(out.Send[0])}, &out)
		if !errors.Is(out.Failed, ErrReflection) {
			t.Errorf("%s: %v", name, out.Failed)
		}
	}
}

// The acceptor's PROOF cannot be made out of the dialer's, nor a MAC of one role of
// the other's.
func TestReflectedProof(t *testing.T) {
	for _, m := range modes() {
		if m.proof == None && m.name == "none" {
			continue
		}
		p := m.pair()
		p.edit = func(from role, nth int, framed []byte) []byte {
			if from == acceptor && nth == 1 {
				return AppendFrame(nil, p.dialer.sent[1])
			}
			return framed
		}
		p.run()
		if p.dialer.done != nil || p.acceptor.done != nil {
			t.Errorf("%s: a reflected proof got through", m.name)
		}
		if !errors.Is(p.dialer.failed, ErrProof) && !errors.Is(p.dialer.failed, ErrCookie) {
			t.Errorf("%s: %v", m.name, p.dialer.failed)
		}
	}
}

// Whoever edits a HELLO on its way, for example to make the two settle for less, is
// found out by the signatures.
func TestDowngrade(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func([]byte) []byte
	}{
		{"lowest version", setAt(7, 0, 0)},
		{"highest version", setAt(9, 0, 9)},
		{"cookie-only offer", func(b []byte) []byte { b[11] |= flagCookieOnly; return b }},
		{"nonce", setAt(13, 1, 2, 3, 4)},
		{"wall clock by a second", func(b []byte) []byte { b[83] ^= 4; return b }},
		{"incarnation", setAt(85, 0xff)},
		{"epoch", setAt(93, 0xff)},
		{"extension", func(b []byte) []byte { return append(b, 0, 9, 0, 0) }},
	} {
		for _, who := range []role{dialer, acceptor} {
			t.Run(fmt.Sprint(c.name, " of ", who), func(t *testing.T) {
				p := newPair(dialerConfig(), acceptorConfig())
				p.edit = replace(who, 0, c.change)
				p.run().mustFail(t, acceptor, ErrProof)
			})
		}
	}
}

// Both sides listing each other as cookie-only does not help who has no cookie, nor
// can somebody else turn cookie-only on: it is in the signed flags.
func TestCookieOnlyCannotBeForced(t *testing.T) {
	d, a := dialerConfig(), acceptorConfig()
	d.Cookie, a.Cookie = []byte("x"), []byte("x")
	a.CookieOnly = anybody
	p := newPair(d, a)
	p.edit = replace(dialer, 0, func(b []byte) []byte { b[11] |= flagCookieOnly; return b })
	p.run()
	if p.dialer.done != nil || p.acceptor.done != nil {
		t.Error("somebody between turned the proof into cookie only")
	}
}

// A single flipped bit, wherever it is, never leaves both sides done, and never one of
// them with a wrong idea of the other.
func TestFlippedBits(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			whole := m.pair().run()
			for _, r := range []role{dialer, acceptor} {
				from, _ := whole.side(r)
				for nth, body := range from.sent {
					for bit := range 8 * (len(body) + 2) {
						if m.name != "none" && random.IntN(20) > 0 {
							continue // where nothing is slow all bits, elsewhere some
						}
						flipBit(t, m.pair(), r, nth, bit)
					}
				}
			}
		})
	}
}

func flipBit(t *testing.T, p *pair, who role, nth, bit int) {
	t.Helper()
	p.edit = func(from role, n int, framed []byte) []byte {
		if from == who && n == nth {
			framed[bit/8] ^= 1 << (bit % 8)
		}
		return framed
	}
	p.run().mustAgree(t)
	if p.dialer.done != nil && p.acceptor.done != nil {
		t.Errorf("bit %d of frame %d of %s flipped: both are done", bit, nth, who)
	}
	if p.dialer.done != nil {
		t.Errorf("bit %d of frame %d of %s flipped: the dialer is done, the acceptor is not", bit, nth, who)
	}
}

// The acceptor alone may be done, and only when the dialer has accepted: when its last
// word is lost.
func TestLostFrames(t *testing.T) {
	for _, r := range []role{dialer, acceptor} {
		for nth := range 4 {
			p := newPair(dialerConfig(), acceptorConfig())
			p.edit = func(from role, n int, framed []byte) []byte {
				if from == r && n >= nth {
					return nil
				}
				return framed
			}
			p.run()
			last := r == acceptor && nth == 3
			whole := r == dialer && nth == 3
			if got := p.acceptor.done != nil; got != (last || whole) {
				t.Errorf("%s goes silent at frame %d: acceptor done %v", r, nth, got)
			}
			if got := p.dialer.done != nil; got != whole {
				t.Errorf("%s goes silent at frame %d: dialer done %v", r, nth, got)
			}
			if p.dialer.done == nil && !errors.Is(p.dialer.failed, ErrTimeout) {
				t.Errorf("%s goes silent at frame %d: dialer: %v", r, nth, p.dialer.failed)
			}
		}
	}
}
