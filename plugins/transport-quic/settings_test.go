package transportquic

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/quic-go/quic-go"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

func TestSettings(t *testing.T) {
	good := map[string]func(*Settings){
		"defaults":     func(*Settings) {},
		"port":         func(s *Settings) { s.Listen = ":9100" },
		"IPv6":         func(s *Settings) { s.Listen = "[fd00::1]:9100" },
		"advertise":    func(s *Settings) { s.Advertise = "node1.example.com" },
		"and a port":   func(s *Settings) { s.Advertise = "[fd00::1]:9100" },
		"bare IPv6":    func(s *Settings) { s.Advertise = "fd00::1" },
		"in brackets":  func(s *Settings) { s.Advertise = "[fd00::1]" },
		"both files":   func(s *Settings) { s.CertFile, s.KeyFile = "a", "b" },
		"faster beats": func(s *Settings) { s.Heartbeat, s.IdleTimeout = 100*time.Millisecond, 300*time.Millisecond },
	}
	for what, change := range good {
		s := defaults()
		if change(s); len(s.Validate()) > 0 {
			t.Errorf("%s: %v", what, s.Validate())
		}
	}
	bad := map[string]struct {
		change func(*Settings)
		path   string
	}{
		"no port":        {func(s *Settings) { s.Listen = "10.0.0.1" }, "listen"},
		"large port":     {func(s *Settings) { s.Listen = ":65536" }, "listen"},
		"named port":     {func(s *Settings) { s.Listen = ":http" }, "listen"},
		"spaces":         {func(s *Settings) { s.Listen = "a b:1" }, "listen"},
		"any address":    {func(s *Settings) { s.Advertise = "0.0.0.0" }, "advertise"},
		"port 0":         {func(s *Settings) { s.Advertise = "10.0.0.1:0" }, "advertise"},
		"no host":        {func(s *Settings) { s.Advertise = ":9100" }, "advertise"},
		"no beat":        {func(s *Settings) { s.Heartbeat = 0 }, "heartbeat"},
		"backwards":      {func(s *Settings) { s.Heartbeat = -1 }, "heartbeat"},
		"short patience": {func(s *Settings) { s.IdleTimeout = time.Second }, "idle_timeout"},
		"no key":         {func(s *Settings) { s.CertFile = "a" }, "key_file"},
		"no certificate": {func(s *Settings) { s.KeyFile = "a" }, "cert_file"},
		"no days":        {func(s *Settings) { s.CertDays = 0 }, "cert_days"},
		"too many days":  {func(s *Settings) { s.CertDays = 40000 }, "cert_days"},
	}
	for what, c := range bad {
		s := defaults()
		c.change(s)
		problems := s.Validate()
		if len(problems) != 1 || problems[0].Path != c.path || problems[0].Hint == "" {
			t.Errorf("%s: %+v, want one problem of %s with a hint", what, problems, c.path)
		}
	}
	all := &Settings{}
	if n := len(all.Validate()); n < 3 {
		t.Errorf("all at once: %d problems", n)
	}
}

func FuzzSettings(f *testing.F) {
	for _, seed := range []string{":9100", "[fd00::1]:1", "10.0.0.1", "", "[", "]:", "host:port", "[::]:0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := defaults()
		s.Listen, s.Advertise = text, text
		wrong := slices.ContainsFunc(s.Validate(), func(p plugin.Problem) bool { return p.Path == "advertise" })
		if text != "" && !wrong && len(explicit(text, 9100)) != 1 {
			t.Errorf("%q passes as an address to advertise and is none", text)
		}
	})
}

func TestAdvertised(t *testing.T) {
	several := func() []netip.Addr {
		var addrs []netip.Addr
		for _, a := range []string{"127.0.0.1", "::1", "fe80::1", "fd00::7", "10.0.0.7", "192.168.1.7"} {
			addrs = append(addrs, netip.MustParseAddr(a))
		}
		return addrs
	}
	alone := func() []netip.Addr { return several()[:3] }
	cases := []struct {
		what, advertise, bound, node string
		machine                      func() []netip.Addr
		want                         string
	}{
		{"host and port are said", "203.0.113.7:99", "[::]:9100", "a@10.0.0.1", several, "203.0.113.7:99"},
		{"host is said", "node1.example.com", "[::]:9100", "a@10.0.0.1", several, "node1.example.com:9100"},
		{"IPv6 host is said", "fd00::9", "[::]:9100", "a@10.0.0.1", several, "[fd00::9]:9100"},
		{"bound to one", "", "127.0.0.1:9100", "a@10.0.0.1", several, "127.0.0.1:9100"},
		{"name has an address", "", "[::]:9100", "a@10.0.0.1", several, "10.0.0.1:9100"},
		{"name has an IPv6 address", "", "[::]:9100", "a@[fd00::1]", several, "[fd00::1]:9100"},
		{"name has a host name", "", "[::]:9100", "a@box", several, "10.0.0.7:9100 192.168.1.7:9100 [fd00::7]:9100"},
		{"IPv4 only", "", "0.0.0.0:9100", "a@box", several, "10.0.0.7:9100 192.168.1.7:9100"},
		{"nothing but loopback", "", "[::]:9100", "a@box", alone, "127.0.0.1:9100 [::1]:9100"},
	}
	for _, c := range cases {
		var got []string
		for _, a := range advertised(c.advertise, netip.MustParseAddrPort(c.bound), name.MustNode(c.node), &machine{look: c.machine}) {
			got = append(got, a.String())
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", c.what, got, c.want)
		}
	}
}

// A node whose name is its address advertises where it is once it has moved, but goes
// on with the name while it has no address at all, or if the address never was its own.
func TestAdvertisedAfterAMove(t *testing.T) {
	addrs := func(list ...string) (all []netip.Addr) {
		for _, a := range list {
			all = append(all, netip.MustParseAddr(a))
		}
		return all
	}
	for _, c := range []struct {
		what          string
		before, after []netip.Addr
		want          string
	}{
		{"moved", addrs("127.0.0.1", "10.0.0.1"), addrs("127.0.0.1", "10.0.0.9"), "10.0.0.9:9100"},
		{"one more", addrs("10.0.0.1"), addrs("10.0.0.9", "10.0.0.1"), "10.0.0.1:9100"},
		{"between two networks", addrs("127.0.0.1", "10.0.0.1"), addrs("127.0.0.1"), "10.0.0.1:9100"},
		{"behind a translator", addrs("192.168.0.1"), addrs("192.168.0.2"), "10.0.0.1:9100"},
	} {
		look := c.before
		here := &machine{look: func() []netip.Addr { return look }}
		where := func() []name.Address {
			here.looked = time.Time{}
			return advertised("", netip.MustParseAddrPort("[::]:9100"), name.MustNode("a@10.0.0.1"), here)
		}
		if got := where(); got[0].String() != "10.0.0.1:9100" {
			t.Errorf("%s: at first %v", c.what, got)
		}
		look = c.after
		if got := where(); len(got) != 1 || got[0].String() != c.want {
			t.Errorf("%s: %v, want %s", c.what, got, c.want)
		}
	}
}

func TestListensOnAnyAddressByDefault(t *testing.T) {
	c := start(t, "a@127.0.0.1", func(s *Settings) { s.Listen = defaults().Listen })
	if got := c.Addresses(); len(got) != 1 || got[0].Host() != "127.0.0.1" || got[0].Port() == 0 {
		t.Errorf("Addresses %v", got)
	}
	connect(t, start(t, "b@127.0.0.1", nil), c)
}

func TestTakenPort(t *testing.T) {
	c := start(t, "a@127.0.0.1", nil)
	second := build(t, plugintest.Env(t, "b@127.0.0.1"), func(s *Settings) { s.Listen = c.running().bound.String() })
	err := second.Start(t.Context())
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "transport.quic.listen") {
		t.Errorf("error %v", err)
	}
	if err := second.Stop(t.Context()); err != nil {
		t.Errorf("Stop after a start that did not work: %v", err)
	}
}

func TestDialErrors(t *testing.T) {
	c := start(t, "a@127.0.0.1", nil)
	ctx, cancel := context.WithTimeout(t.Context(), plugintest.Patience)
	defer cancel()
	if _, err := c.Dial(ctx, name.MustAddress("[::1]:9")); !errors.Is(err, transport.ErrUnreachable) {
		t.Errorf("IPv6 from an IPv4 socket: %v", err)
	}
	if _, err := c.Dial(ctx, name.MustAddress("203.0.113.1:9")); !errors.Is(err, transport.ErrUnreachable) || !strings.Contains(err.Error(), "write udp") {
		t.Errorf("the system does not send it from a loopback address: %v", err)
	}
	if err := c.Start(ctx); err == nil {
		t.Error("a second Start works")
	}
}

func TestHostNamesAreResolved(t *testing.T) {
	a, b := start(t, "a@127.0.0.1", nil), start(t, "b@127.0.0.1", nil)
	addr := name.MustAddress(net.JoinHostPort("localhost", b.Addresses()[0].String()[len("127.0.0.1:"):]))
	if _, err := a.Dial(t.Context(), addr); err != nil {
		t.Errorf("dialing %s: %v", addr, err)
	}
}

func TestReasonsAreShortAndPrintable(t *testing.T) {
	a, b := start(t, "a@127.0.0.1", nil), start(t, "b@127.0.0.1", nil)
	here, there := connect(t, a, b)
	if err := here.Close(transport.CloseRefused, strings.Repeat("näher\n", 200)); err != nil {
		t.Fatal(err)
	}
	<-there.Context().Done()
	closed, ok := errors.AsType[*transport.CloseError](context.Cause(there.Context()))
	if !ok || len(closed.Reason) > maxReason || len(closed.Reason) < maxReason-4 ||
		!utf8.ValidString(closed.Reason) || strings.Contains(closed.Reason, "\n") {
		t.Errorf("cause %v", context.Cause(there.Context()))
	}
}

func TestErrorsSpeakTheContract(t *testing.T) {
	closed := func(e *transport.CloseError) string { return e.Error() }
	cases := []struct {
		err  error
		want string
		kind error
	}{
		{&quic.ApplicationError{Remote: true, ErrorCode: 2}, closed(&transport.CloseError{Remote: true, Code: transport.CloseLeaving}), nil},
		{&quic.ApplicationError{ErrorCode: 1 << 40}, closed(&transport.CloseError{Code: transport.CloseProtocol}), nil},
		{&quic.TransportError{Remote: true, ErrorCode: quic.ConnectionRefused}, "closed by the peer: busy: it takes no more connections now", nil},
		{&quic.TransportError{Remote: true, ErrorCode: certificateRequired}, "closed by the peer: refused: the TLS certificate was refused", nil},
		{&quic.TransportError{ErrorCode: quic.FlowControlError}, "closed here: protocol: FLOW_CONTROL_ERROR (local)", nil},
		{&quic.IdleTimeoutError{}, "nothing was heard and no probe was answered: peer went silent", transport.ErrSilent},
		{&quic.StatelessResetError{}, "the peer has restarted and knows nothing of this connection: peer went silent", transport.ErrSilent},
		{quic.ErrTransportClosed, "transport closed: quic: transport closed", transport.ErrClosed},
		{syscall.ENETUNREACH, "cannot send to the peer: network is unreachable: peer went silent", transport.ErrSilent},
	}
	for _, c := range cases {
		got := connError(c.err)
		if got.Error() != c.want || c.kind != nil && !errors.Is(got, c.kind) {
			t.Errorf("%T: %q, want %q", c.err, got, c.want)
		}
	}
}
