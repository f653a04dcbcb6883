package handshake

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

type refusalCase struct {
	name    string
	refuser role
	kind    error
	set     func(d, a *Config, p *pair)
}

// replace is an edit that puts another body in the place of the nth frame of a side.
func replace(who role, nth int, change func(body []byte) []byte) func(role, int, []byte) []byte {
	return func(from role, n int, framed []byte) []byte {
		if from != who || n != nth {
			return framed
		}
		return AppendFrame(nil, change(append([]byte(nil), framed[2:]...)))
	}
}

func put(body string) func([]byte) []byte { return func([]byte) []byte { return []byte(body) } }

func setAt(i int, b ...byte) func([]byte) []byte {
	return func(body []byte) []byte {
		copy(body[i:], b)
		return body
	}
}

func helloCases() []refusalCase {
	edit := func(change func([]byte) []byte) func(d, a *Config, p *pair) {
		return func(_, _ *Config, p *pair) { p.edit = replace(dialer, 0, change) }
	}
	parsed := func(change func(h *hello)) func(d, a *Config, p *pair) {
		return edit(func(body []byte) []byte {
			v, r, _ := openHello(body)
			h, _ := readHello(v, r)
			change(h)
			return h.encode()
		})
	}
	swap := func(old, other string) func([]byte) []byte {
		return func(b []byte) []byte { return []byte(strings.Replace(string(b), old, other, 1)) }
	}
	return []refusalCase{
		{"web request", acceptor, ErrNotBarrel, edit(put("GET / HTTP/1.1\r\n\r\n"))},
		{"empty message", acceptor, ErrNotBarrel, edit(put(""))},
		{"wrong magic", acceptor, ErrNotBarrel, edit(setAt(1, 'b'))},
		{"only a type byte", acceptor, ErrNotBarrel, edit(put("\x01"))},
		{"newer version", acceptor, ErrVersion, edit(setAt(7, 0, 2, 0, 9))},
		{"newer version, other layout", acceptor, ErrVersion, edit(put("\x01BARREL\x00\x02\x00\x09???"))},
		{"versions upside down", acceptor, ErrMalformed, edit(setAt(7, 0, 9, 0, 2))},
		{"short HELLO", acceptor, ErrMalformed, edit(func(b []byte) []byte { return b[:60] })},
		{"unknown flags", acceptor, ErrMalformed, edit(setAt(11, 0x81))},
		{"unknown role", acceptor, ErrMalformed, edit(setAt(12, 3))},
		{"zero nonce", acceptor, ErrMalformed, edit(setAt(13, make([]byte, 32)...))},
		{"zero key", acceptor, ErrMalformed, edit(setAt(45, make([]byte, 32)...))},
		{"wall clock before 1970", acceptor, ErrMalformed, parsed(func(h *hello) { h.wall = -1 })},
		{"no cluster", acceptor, ErrMalformed, parsed(func(h *hello) { h.Cluster = "" })},
		{"no name", acceptor, ErrName, edit(swap("\x00\x0aa@10.0.0.1", "\x00\x00"))},
		{"name without host", acceptor, ErrName, edit(swap("a@10", "a.10"))},
		{"name in another spelling", acceptor, ErrName, edit(swap("\x00\x0aa@10.0.0.1", "\x00\x08a@Host.X"))},
		{"dialed node in no spelling", acceptor, ErrName, edit(swap("b@10", "b 10"))},
		{"too many endpoints", acceptor, ErrEndpoints, parsed(func(h *hello) {
			h.Endpoints = make([]name.Address, 9)
		})},
		{"invalid endpoint", acceptor, ErrEndpoints, edit(swap("10.0.0.1:9100", "10.0.0.1 9100"))},
		{"endpoints cut off", acceptor, ErrMalformed, edit(func(b []byte) []byte { return b[:len(b)-1] })},
		{"my role", acceptor, ErrReflection, edit(setAt(12, byte(acceptor)))},
		{"my nonce", acceptor, ErrReflection, func(d, a *Config, p *pair) { d.Nonce = a.Nonce }},
	}
}

func configCases() []refusalCase {
	return []refusalCase{
		{"other cluster", acceptor, ErrCluster, func(d, a *Config, p *pair) { d.Self.Cluster = "test\n" }},
		{"same name and key", acceptor, ErrSelf, func(d, a *Config, p *pair) { d.Self.Node, d.Self.Key = a.Self.Node, a.Self.Key }},
		{"same name", acceptor, ErrSelf, func(d, a *Config, p *pair) { d.Self.Node = a.Self.Node }},
		{"same key", acceptor, ErrSelf, func(d, a *Config, p *pair) { d.Self.Key = a.Self.Key }},
		{"wrong node", acceptor, ErrWrongNode, func(d, a *Config, p *pair) { a.Self.Node = name.MustNode("c@10.0.0.3") }},
		{"wrong node that does not care", dialer, ErrWrongNode, func(d, a *Config, p *pair) {
			p.edit = replace(acceptor, 0, func(b []byte) []byte {
				return []byte(strings.Replace(string(b), "b@10", "c@10", 1))
			})
		}},
		{"dialer's clock ahead", acceptor, ErrSkew, func(d, a *Config, p *pair) { d.Wall = a.Wall.Add(31 * second) }},
		{"dialer's clock behind", acceptor, ErrSkew, func(d, a *Config, p *pair) { d.Wall = a.Wall.Add(-30*second - time.Millisecond) }},
		{"clocks years apart", acceptor, ErrSkew, func(d, a *Config, p *pair) { d.Wall = time.UnixMilli(maxWall) }},
		{"clock too far for the dialer alone", dialer, ErrSkew, func(d, a *Config, p *pair) { d.Skew, a.Wall = second, a.Wall.Add(-2*second) }},
		{"auth on the dialer only", acceptor, ErrAuthMode, func(d, a *Config, p *pair) { a.Auth = false }},
		{"auth on the acceptor only", acceptor, ErrAuthMode, func(d, a *Config, p *pair) { d.Auth = false }},
		{"cookie on the dialer only", acceptor, ErrCookie, func(d, a *Config, p *pair) { d.Cookie = []byte("x") }},
		{"cookie on the acceptor only", acceptor, ErrCookie, func(d, a *Config, p *pair) { a.Cookie = []byte("x") }},
		{"other cookie", acceptor, ErrCookie, func(d, a *Config, p *pair) { d.Cookie, a.Cookie = []byte("x"), []byte("y") }},
		{"other cookie, cookie only", acceptor, ErrCookie, func(d, a *Config, p *pair) {
			d.Cookie, a.Cookie = []byte("x"), []byte("y")
			d.CookieOnly, a.CookieOnly = anybody, anybody
		}},
		{"other cookie without auth", acceptor, ErrCookie, func(d, a *Config, p *pair) {
			d.Cookie, a.Cookie = []byte("x"), []byte("y")
			d.Auth, a.Auth = false, false
		}},
		{"dialer signs with another key", acceptor, ErrProof, func(d, a *Config, p *pair) { d.Sign = a.Sign }},
		{"acceptor signs with another key", dialer, ErrProof, func(d, a *Config, p *pair) { a.Sign = d.Sign }},
	}
}

func laterCases() []refusalCase {
	edit := func(who role, nth int, change func([]byte) []byte) func(d, a *Config, p *pair) {
		return func(_, _ *Config, p *pair) { p.edit = replace(who, nth, change) }
	}
	return []refusalCase{
		{"HELLO twice", acceptor, ErrUnexpected, edit(dialer, 1, put("\x01BARREL"))},
		{"PROOF first", acceptor, ErrUnexpected, edit(dialer, 0, put("\x02\x00"))},
		{"unknown message", acceptor, ErrMalformed, edit(dialer, 1, put("\x09"))},
		{"empty PROOF", acceptor, ErrMalformed, edit(dialer, 1, put(""))},
		{"PROOF too short", acceptor, ErrMalformed, edit(dialer, 1, put("\x02\x01abc"))},
		{"PROOF too long", acceptor, ErrMalformed, edit(dialer, 1, func(b []byte) []byte { return append(b, 0) })},
		{"PROOF with unknown flags", acceptor, ErrMalformed, edit(dialer, 1, put("\x02\x04"))},
		{"PROOF without signature", acceptor, ErrProof, edit(dialer, 1, put("\x02\x00"))},
		{"PROOF with a MAC nobody asked for", acceptor, ErrMalformed, edit(dialer, 1, func(b []byte) []byte {
			b[1] |= proofMAC
			return append(b, make([]byte, 32)...)
		})},
		{"PROOF without MAC", acceptor, ErrCookie, func(d, a *Config, p *pair) {
			d.Cookie, a.Cookie = []byte("x"), []byte("x")
			p.edit = replace(dialer, 1, func(b []byte) []byte { b[1] &^= proofMAC; return b[:66] })
		}},
		{"signature nobody asked for", acceptor, ErrMalformed, func(d, a *Config, p *pair) {
			d.Auth, a.Auth = false, false
			p.edit = replace(dialer, 1, func(b []byte) []byte { return append([]byte{2, 1}, make([]byte, 64)...) })
		}},
		{"ACCEPT of another handshake", dialer, ErrProof, edit(acceptor, 2, setAt(5, 1, 2, 3, 4, 5, 6, 7, 8))},
		{"ACCEPT too short", dialer, ErrMalformed, edit(acceptor, 2, put("\x03"))},
		{"dialer's ACCEPT of another handshake", acceptor, ErrProof, edit(dialer, 2, setAt(5, 1, 2, 3, 4, 5, 6, 7, 8))},
		{"dialer untrusted", acceptor, trust.ErrUntrusted, func(d, a *Config, p *pair) {
			p.acceptor.verdict = fmt.Errorf("a@10.0.0.1: %w: pin its key", trust.ErrUntrusted)
		}},
		{"dialer's key changed", acceptor, trust.ErrKeyMismatch, func(d, a *Config, p *pair) {
			p.acceptor.verdict = fmt.Errorf("a@10.0.0.1: %w: remove the pin if it was rotated", trust.ErrKeyMismatch)
		}},
		{"acceptor untrusted", dialer, trust.ErrUntrusted, func(d, a *Config, p *pair) {
			p.dialer.verdict = fmt.Errorf("b@10.0.0.2: %w: pin its key", trust.ErrUntrusted)
		}},
		{"trust unavailable", dialer, ErrUnavailable, func(d, a *Config, p *pair) { p.dialer.verdict = errors.New("/secret/path: no space") }},
		{"trust says very much", acceptor, trust.ErrUntrusted, func(d, a *Config, p *pair) {
			p.acceptor.verdict = fmt.Errorf("\x1b[2J\u202eünï\xff%s: %w", strings.Repeat("é", 300), trust.ErrUntrusted)
		}},
		{"frame of 60000 bytes", acceptor, ErrOversized, func(d, a *Config, p *pair) {
			p.edit = func(from role, n int, framed []byte) []byte {
				if from == dialer && n == 1 {
					return []byte{0xea, 0x60, 1, 2, 3}
				}
				return framed
			}
		}},
	}
}

func refusalCases() []refusalCase {
	return append(append(helloCases(), configCases()...), laterCases()...)
}

func (c refusalCase) run() *pair {
	d, a := dialerConfig(), acceptorConfig()
	p := newPair(d, a)
	c.set(&d, &a, p)
	p.dialer.m, p.acceptor.m = New(d, 0), New(a, 0)
	return p.run()
}

// Every refusal is known to both sides by its kind; what both read is in
// testdata/refusals.txt.
func TestRefusals(t *testing.T) {
	var text strings.Builder
	for _, c := range refusalCases() {
		t.Run(c.name, func(t *testing.T) {
			p := c.run()
			p.mustFail(t, c.refuser, c.kind)
			fmt.Fprintf(&text, "%s\n  dialer    %v\n  acceptor  %v\n\n", c.name, p.dialer.failed, p.acceptor.failed)
		})
	}
	golden(t, "refusals.txt", text.String())
}

// Who is refused by trust or cannot prove itself gets no signature and no MAC.
func TestNoProofForTheRefused(t *testing.T) {
	for _, c := range refusalCases() {
		p := c.run()
		if c.refuser != acceptor || strings.HasPrefix(c.name, "dialer's ACCEPT") {
			continue
		}
		for _, body := range p.acceptor.sent {
			if messageOf(body) == msgProof {
				t.Errorf("%s: the acceptor proved itself", c.name)
			}
		}
	}
}

func TestCookieNeverTravels(t *testing.T) {
	for _, m := range modes() {
		p := m.pair().run()
		for _, body := range append(p.dialer.sent, p.acceptor.sent...) {
			if strings.Contains(string(body), "open sesame") {
				t.Errorf("%s: the cookie is in %x", m.name, body)
			}
		}
	}
}

func TestWrongNodeSaysWhich(t *testing.T) {
	a := acceptorConfig()
	a.Self.Node = name.MustNode("c@10.0.0.3")
	p := newPair(dialerConfig(), a).run()
	for r, got := range map[*side]name.Node{p.acceptor: a.Self.Node, p.dialer: {}} {
		var wrong *WrongNodeError
		if !errors.As(r.failed, &wrong) || wrong.Want != name.MustNode("b@10.0.0.2") || wrong.Got != got {
			t.Errorf("%s: %+v", r.m.role, r.failed)
		}
	}
}

func TestRefusalCauseStaysHere(t *testing.T) {
	cause := errors.New("/secret/path: no space")
	p := newPair(dialerConfig(), acceptorConfig())
	p.acceptor.verdict = cause
	p.run().mustFail(t, acceptor, ErrUnavailable)
	if !errors.Is(p.acceptor.failed, cause) || !strings.Contains(p.acceptor.failed.Error(), "/secret") {
		t.Errorf("acceptor: %v", p.acceptor.failed)
	}
	if strings.Contains(p.dialer.failed.Error(), "/secret") {
		t.Errorf("dialer: %v", p.dialer.failed)
	}
}

// Refusals of a later version still end the handshake with their text.
func TestUnknownRefusalCode(t *testing.T) {
	p := newPair(dialerConfig(), acceptorConfig())
	p.edit = replace(acceptor, 0, put("\x04\x03\xe8no room"))
	p.run()
	if got := p.dialer.failed.Error(); got != "refused by the peer: no room" {
		t.Errorf("got %q", got)
	}
	if got := Code(1000).String(); got != "code 1000" {
		t.Errorf("got %q", got)
	}
}

func TestMalformedRefusals(t *testing.T) {
	for _, body := range []string{"\x04", "\x04\x00", "\x04\x00\x00x", "\x04\x00\x01" + strings.Repeat("x", 513)} {
		m := New(acceptorConfig(), 0)
		var out Effects
		m.Step(0, Input{Kind: Start}, &out)
		m.Step(0, Input{Kind: Frame, Frame: []byte(body)}, &out)
		if !errors.Is(out.Failed, ErrMalformed) {
			t.Errorf("%.10q: %v", body, out.Failed)
		}
	}
}

// A stream that breaks says where it broke.
func TestBrokenStreamNamesTheStage(t *testing.T) {
	m := New(dialerConfig(), 0)
	var out Effects
	m.Step(0, Input{Kind: Start}, &out)
	m.Step(0, Input{Kind: Broken, Err: io.ErrUnexpectedEOF}, &out)
	if !errors.Is(out.Failed, ErrBroken) || !errors.Is(out.Failed, io.ErrUnexpectedEOF) || len(out.Send) != 0 {
		t.Errorf("failed %v, sent %q", out.Failed, out.Send)
	}
	if got := out.Failed.Error(); !strings.Contains(got, "HELLO of b@10.0.0.2") {
		t.Errorf("got %q", got)
	}
}

// Each code has a kind of its own, and no kind is lost on the wire.
func TestCodesAreDistinct(t *testing.T) {
	seen := map[error]Code{}
	for c := CodeNotBarrel; c <= CodeEndpoints; c++ {
		if c.Err() == nil {
			t.Errorf("code %d has no error", uint16(c))
		}
		if other, twice := seen[c.Err()]; twice {
			t.Errorf("codes %d and %d are both %v", uint16(c), uint16(other), c)
		}
		seen[c.Err()] = c
	}
}
