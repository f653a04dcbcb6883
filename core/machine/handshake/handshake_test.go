package handshake

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/barrelp2p/barrel/interfaces/name"
)

type mode struct {
	name  string
	proof Proof
	set   func(d, a *Config)
}

func modes() []mode {
	cookie := func(d, a *Config) { d.Cookie, a.Cookie = []byte("open sesame"), []byte("open sesame") }
	return []mode{
		{"signed", Signed, func(d, a *Config) {}},
		{"signed-cookie", Signed, cookie},
		{"cookie-only", CookieOnly, func(d, a *Config) {
			cookie(d, a)
			d.CookieOnly, a.CookieOnly = anybody, anybody
		}},
		{"none", None, func(d, a *Config) { d.Auth, a.Auth = false, false }},
		{"none-cookie", None, func(d, a *Config) {
			cookie(d, a)
			d.Auth, a.Auth = false, false
		}},
	}
}

func (m mode) pair() *pair {
	d, a := dialerConfig(), acceptorConfig()
	m.set(&d, &a)
	return newPair(d, a)
}

func TestBothSidesDone(t *testing.T) {
	for _, m := range modes() {
		for _, chunk := range []int{0, 1, 7} {
			t.Run(fmt.Sprint(m.name, "/", chunk), func(t *testing.T) {
				p := m.pair()
				p.chunk = chunk
				p.run().mustSucceed(t, m.proof)
				asks := 0
				if m.proof == Signed {
					asks = 1
				}
				if len(p.dialer.asked) != asks || len(p.acceptor.asked) != asks {
					t.Errorf("trust was asked %d and %d times, want %d", len(p.dialer.asked), len(p.acceptor.asked), asks)
				}
			})
		}
	}
}

func TestVectors(t *testing.T) {
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			var text strings.Builder
			p := m.pair()
			p.edit = func(from role, _ int, framed []byte) []byte {
				fmt.Fprintf(&text, "%s %s\n%x\n\n", roleWord(from), messageOf(framed[2:]), framed)
				return framed
			}
			p.run().mustSucceed(t, m.proof)
			for _, r := range []role{dialer, acceptor} {
				for _, context := range []string{contextSignature, contextMAC, contextAccept} {
					fmt.Fprintf(&text, "transcript of the %s for %q\n%x\n\n", roleWord(r), context, p.dialer.m.transcript.message(context, r))
				}
			}
			golden(t, m.name+".txt", text.String())
		})
	}
}

func roleWord(r role) string {
	if r == dialer {
		return "dialer"
	}
	return "acceptor"
}

func TestExpectIsOptional(t *testing.T) {
	d := dialerConfig()
	d.Expect = name.Node{}
	newPair(d, acceptorConfig()).run().mustSucceed(t, Signed)
}

// One side alone that lists the other, or a side that dials anybody and so cannot know
// whom it would list, signs as usual.
func TestCookieOnlyNeedsBoth(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(d, a *Config)
	}{
		{"dialer lists", func(d, a *Config) { d.CookieOnly = anybody }},
		{"acceptor lists", func(d, a *Config) { a.CookieOnly = anybody }},
		{"dials anybody", func(d, a *Config) { d.CookieOnly, a.CookieOnly, d.Expect = anybody, anybody, name.Node{} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, a := dialerConfig(), acceptorConfig()
			d.Cookie, a.Cookie = []byte("x"), []byte("x")
			c.set(&d, &a)
			newPair(d, a).run().mustSucceed(t, Signed)
		})
	}
}

// Without a cookie the list of cookie-only peers means nothing.
func TestCookieOnlyNeedsACookie(t *testing.T) {
	d, a := dialerConfig(), acceptorConfig()
	d.CookieOnly, a.CookieOnly = anybody, anybody
	newPair(d, a).run().mustSucceed(t, Signed)
}

func TestUnknownExtensionsAreIgnored(t *testing.T) {
	for _, c := range []struct {
		tail string
		want error
	}{
		{"\xff\xfe\x00\x03abc\x00\x01\x00\x00", nil},
		{"\xff\xfe\x00\x03ab", ErrMalformed},
		{"\xff", ErrMalformed},
	} {
		m := New(acceptorConfig(), 0)
		var out Effects
		m.Step(0, Input{Kind: Start}, &out)
		m.Step(0, Input{Kind: Frame, Frame: append(firstHello(t), c.tail...)}, &out)
		if !errors.Is(out.Failed, c.want) || (c.want == nil) != (out.Failed == nil) {
			t.Errorf("tail %q: %v, want %v", c.tail, out.Failed, c.want)
		}
	}
}

// firstHello is the HELLO of the usual dialer.
func firstHello(t testing.TB) []byte {
	t.Helper()
	m := New(dialerConfig(), 0)
	var out Effects
	m.Step(0, Input{Kind: Start}, &out)
	if len(out.Send) != 1 {
		t.Fatalf("effects %+v", out)
	}
	return out.Send[0]
}

// The layout of HELLO, written down by hand.
func TestHelloLayout(t *testing.T) {
	c := dialerConfig()
	want := "\x01BARREL\x00\x01\x00\x01\x01\x01" +
		string(c.Nonce[:]) + string(c.Self.Key[:]) +
		"\x00\x00\x01\xa0\xc4\x50\x6c\x00" + // 1790000000000
		"\x00\x00\x01\xa0\xc4\x50\x6c\x01" +
		"\x00\x00\x00\x00\x00\x00\x00\x07" +
		"\x00\x07default\x00\x0aa@10.0.0.1\x00\x0ab@10.0.0.2" +
		"\x02\x00\x0d10.0.0.1:9100\x00\x0e[fd00::1]:9100"
	if got := string(firstHello(t)); got != want {
		t.Errorf("got\n%x\nwant\n%x", got, want)
	}
}

func TestVersions(t *testing.T) {
	for _, c := range []struct {
		mine, theirs versions
		want         uint16
		ok           bool
	}{
		{versions{1, 1}, versions{1, 1}, 1, true},
		{versions{1, 3}, versions{2, 5}, 3, true},
		{versions{4, 5}, versions{2, 4}, 4, true},
		{versions{1, 1}, versions{2, 3}, 0, false},
		{versions{3, 4}, versions{1, 2}, 0, false},
	} {
		got, ok := c.mine.highest(c.theirs)
		if ok != c.ok || ok && got != c.want {
			t.Errorf("%v and %v: %d %v, want %d %v", c.mine, c.theirs, got, ok, c.want, c.ok)
		}
	}
}

// What a Config itself gets wrong is an error before anything is sent.
func TestConfigErrors(t *testing.T) {
	long := name.MustAddress(strings.Repeat("a", 250) + ":9100")
	for _, c := range []struct {
		name string
		set  func(c *Config)
	}{
		{"no binding", func(c *Config) { c.Binding = [32]byte{} }},
		{"no nonce", func(c *Config) { c.Nonce = [32]byte{} }},
		{"no name", func(c *Config) { c.Self.Node = name.Node{} }},
		{"no key", func(c *Config) { c.Self.Key = [32]byte{} }},
		{"no cluster", func(c *Config) { c.Self.Cluster = "" }},
		{"long cluster", func(c *Config) { c.Self.Cluster = strings.Repeat("c", 256) }},
		{"no signer", func(c *Config) { c.Sign = nil }},
		{"many endpoints", func(c *Config) { c.Self.Endpoints = make([]name.Address, 300) }},
		{"zero endpoint", func(c *Config) { c.Self.Endpoints = make([]name.Address, 1) }},
		{"too long in all", func(c *Config) {
			c.Self.Endpoints = []name.Address{long, long, long, long, long, long, long, long}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := dialerConfig()
			c.set(&cfg)
			var out Effects
			New(cfg, 0).Step(0, Input{Kind: Start}, &out)
			if !errors.Is(out.Failed, ErrConfig) || len(out.Send) != 0 {
				t.Errorf("failed: %v, %d frames", out.Failed, len(out.Send))
			}
		})
	}
}
