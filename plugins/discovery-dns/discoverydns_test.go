package discoverydns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/miekg/dns"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	plugintest.Discovery(t, plugintest.DiscoveryHarness{New: conforming})
}

// conforming publishes each endpoint as an SRV record whose target is one address.
func conforming(t plugintest.T, env plugin.Env, known map[name.Node][]name.Address) discovery.Plugin {
	t.Helper()
	z := serve(t)
	for node, endpoints := range known {
		for i, endpoint := range endpoints {
			target := fmt.Sprintf("t%d.%s.", i, node.Host())
			z.add(t, fmt.Sprintf("_barrel._udp.%s. 60 IN SRV %d 0 %d %s", node.Host(), i, endpoint.Port(), target),
				fmt.Sprintf("%s 60 IN A %s", target, endpoint.Host()))
		}
	}
	p, err := Factory().New(env, &Settings{Port: 9100, Timeout: 5 * time.Second, Server: z.addr})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return p
}

// asking is a backend that asks only z.
func asking(t *testing.T, z *zone, timeout time.Duration) *backend {
	t.Helper()
	p, err := Factory().New(plugintest.Env(t, "self@self.test"), &Settings{Port: 9100, Timeout: timeout, Server: z.addr})
	if err != nil {
		t.Fatal(err)
	}
	return p.(*backend)
}

func TestLookup(t *testing.T) {
	tests := []struct {
		name    string
		records []string
		node    string
		want    []string // endpoints; nil: not found
		ttl     time.Duration
	}{
		{"A and AAAA with the port of the settings",
			[]string{"b.test. 60 A 10.0.0.1", "b.test. 30 AAAA fd00::1"},
			"b@b.test", []string{"10.0.0.1:9100", "[fd00::1]:9100"}, 30 * time.Second},
		{"AAAA alone", []string{"b.test. 30 AAAA fd00::1"}, "b@b.test", []string{"[fd00::1]:9100"}, 30 * time.Second},
		{"A alone, several", []string{"b.test. 9 A 10.0.0.2", "b.test. 60 A 10.0.0.1"},
			"b@b.test", []string{"10.0.0.2:9100", "10.0.0.1:9100"}, 9 * time.Second},
		{"SRV wins over A", []string{"b.test. 60 A 10.0.0.1", "_barrel._udp.b.test. 20 SRV 0 0 9200 c.test.", "c.test. 40 A 10.0.0.9"},
			"b@b.test", []string{"10.0.0.9:9200"}, 20 * time.Second},
		{"SRV by priority, then weight", []string{
			"_barrel._udp.b.test. 60 SRV 2 9 9203 c.test.", "_barrel._udp.b.test. 60 SRV 1 1 9202 c.test.",
			"_barrel._udp.b.test. 60 SRV 1 5 9201 c.test.", "c.test. 10 A 10.0.0.9"},
			"b@b.test", []string{"10.0.0.9:9201", "10.0.0.9:9202", "10.0.0.9:9203"}, 10 * time.Second},
		{"SRV target with both families", []string{"_barrel._udp.b.test. 60 SRV 0 0 9200 c.test.", "c.test. 60 A 10.0.0.9", "c.test. 60 AAAA fd00::9"},
			"b@b.test", []string{"10.0.0.9:9200", "[fd00::9]:9200"}, time.Minute},
		{"SRV of which one target is gone", []string{"_barrel._udp.b.test. 60 SRV 0 0 9200 gone.test.", "_barrel._udp.b.test. 60 SRV 1 0 9201 c.test.", "c.test. 60 A 10.0.0.9"},
			"b@b.test", []string{"10.0.0.9:9201"}, time.Minute},
		{"SRV of which all targets are gone", []string{"_barrel._udp.b.test. 60 SRV 0 0 9200 gone.test.", "b.test. 60 A 10.0.0.1"}, "b@b.test", nil, 0},
		{"SRV says no such service", []string{"_barrel._udp.b.test. 60 SRV 0 0 0 .", "b.test. 60 A 10.0.0.1"}, "b@b.test", nil, 0},
		{"alias", []string{"b.test. 5 CNAME c.test.", "c.test. 60 A 10.0.0.9"}, "b@b.test", []string{"10.0.0.9:9100"}, 5 * time.Second},
		{"alias of the service", []string{"_barrel._udp.b.test. 60 CNAME _barrel._udp.c.test.", "_barrel._udp.c.test. 60 SRV 0 0 9200 d.test.",
			"d.test. 60 CNAME e.test.", "e.test. 7 A 10.0.0.9"}, "b@b.test", []string{"10.0.0.9:9200"}, 7 * time.Second},
		{"alias to nowhere", []string{"b.test. 5 CNAME gone.test."}, "b@b.test", nil, 0},
		{"no such host", nil, "b@b.test", nil, 0},
		{"host without records of use", []string{"b.test. 60 TXT hello"}, "b@b.test", nil, 0},
		{"addresses that are nobody's", []string{"b.test. 60 A 0.0.0.0", "b.test. 60 AAAA ::", "b.test. 60 A 224.0.0.1"}, "b@b.test", nil, 0},
		{"upper case in the zone", []string{"b.test. 60 CNAME C.TEST.", "c.test. 60 A 10.0.0.9"}, "b@B.Test", []string{"10.0.0.9:9100"}, time.Minute},
		{"time to live of zero", []string{"b.test. 0 A 10.0.0.1"}, "b@b.test", []string{"10.0.0.1:9100"}, time.Millisecond},
		{"time to live out of range", []string{"b.test. 4294967295 A 10.0.0.1"}, "b@b.test", []string{"10.0.0.1:9100"}, time.Millisecond},
		{"host that cannot be in the DNS", nil, "b@" + strings.Repeat("x", 64) + ".test", nil, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := asking(t, serve(t, test.records...), 5*time.Second)
			answer, err := b.Lookup(t.Context(), name.MustNode(test.node))
			if got := texts(answer.Endpoints); !slices.Equal(got, test.want) || answer.TTL != test.ttl {
				t.Errorf("%v for %v, %v; want %v for %v", got, answer.TTL, err, test.want, test.ttl)
			}
			if (test.want == nil) != errors.Is(err, discovery.ErrNotFound) {
				t.Errorf("error %v", err)
			}
			if b.Health().State != plugin.Healthy {
				t.Errorf("health %+v", b.Health())
			}
		})
	}
}

func texts(addresses []name.Address) []string {
	var out []string
	for _, a := range addresses {
		out = append(out, a.String())
	}
	return out
}

func TestHostsThatAreNotAskedFor(t *testing.T) {
	z := serve(t)
	b := asking(t, z, time.Second)
	for node, want := range map[string][]string{
		"b@10.0.0.1":         {"10.0.0.1:9100"},
		"b@[fd00::1]":        {"[fd00::1]:9100"},
		"b@localhost":        {"127.0.0.1:9100", "[::1]:9100"},
		"b@dev.localhost":    {"127.0.0.1:9100", "[::1]:9100"},
		"b@[::ffff:1.2.3.4]": {"1.2.3.4:9100"},
	} {
		answer, err := b.Lookup(t.Context(), name.MustNode(node))
		if got := texts(answer.Endpoints); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s is %v, %v; want %v", node, got, err, want)
		}
	}
	if asked := z.questions(); len(asked) > 0 {
		t.Errorf("asked %v", asked)
	}
}

func TestTargetAddressesThatCameAlongAreNotAskedFor(t *testing.T) {
	z := serve(t, "_barrel._udp.b.test. 60 SRV 0 0 9200 c.test.")
	extra, err := dns.NewRR("c.test. 3 A 10.0.0.9")
	if err != nil {
		t.Fatal(err)
	}
	z.setReply(func(_ string, m *dns.Msg) *dns.Msg { m.Extra = append(m.Extra, extra); return m })
	answer, err := asking(t, z, time.Second).Lookup(t.Context(), name.MustNode("b@b.test"))
	if got := texts(answer.Endpoints); err != nil || !slices.Equal(got, []string{"10.0.0.9:9200"}) || answer.TTL != 3*time.Second {
		t.Errorf("%v for %v, %v", got, answer.TTL, err)
	}
	if asked := z.questions(); !slices.Equal(asked, []string{"udp _barrel._udp.b.test. SRV"}) {
		t.Errorf("asked %v", asked)
	}
}

func TestTruncatedAnswersComeOverTCP(t *testing.T) {
	z := serve(t)
	for i := range 60 {
		z.add(t, fmt.Sprintf("b.test. 60 AAAA fd00:1111:2222:3333:4444:5555:6666:%x", i+1))
	}
	answer, err := asking(t, z, 5*time.Second).Lookup(t.Context(), name.MustNode("b@b.test"))
	if err != nil || len(answer.Endpoints) != maxEndpoints {
		t.Errorf("%d endpoints, %v; want the bound, %d", len(answer.Endpoints), err, maxEndpoints)
	}
	if !slices.Contains(z.questions(), "tcp b.test. AAAA") {
		t.Errorf("asked %v, want TCP", z.questions())
	}
}

func TestServerErrorsAreNotAnswers(t *testing.T) {
	silent := func(string, *dns.Msg) *dns.Msg { return nil }
	code := func(rcode int) func(string, *dns.Msg) *dns.Msg {
		return func(_ string, m *dns.Msg) *dns.Msg { m.Rcode, m.Answer = rcode, nil; return m }
	}
	tests := []struct {
		name  string
		reply func(string, *dns.Msg) *dns.Msg
		want  string
	}{
		{"server failure", code(dns.RcodeServerFailure), "SERVFAIL"},
		{"refused", code(dns.RcodeRefused), "REFUSED"},
		{"unknown code", code(14), "response code 14"},
		{"silence", silent, "no answer in time"},
		{"another number", func(_ string, m *dns.Msg) *dns.Msg { m.Id++; return m }, "no answer in time"},
		{"another question", func(_ string, m *dns.Msg) *dns.Msg { m.Question[0].Name = "evil.test."; return m }, "no answer in time"},
		{"a question back", func(_ string, m *dns.Msg) *dns.Msg { m.Response = false; return m }, "no answer in time"},
		{"truncated, and wrong over TCP", func(network string, m *dns.Msg) *dns.Msg {
			m.Truncated = true
			if network == "tcp" {
				m.Question[0].Name = "evil.test."
			}
			return m
		}, "another question"},
		{"aliases without end", func(_ string, m *dns.Msg) *dns.Msg {
			owner := m.Question[0].Name
			m.Rcode = dns.RcodeSuccess
			m.Answer = []dns.RR{&dns.CNAME{Hdr: dns.RR_Header{Name: owner, Rrtype: dns.TypeCNAME, Class: dns.ClassINET}, Target: "x" + owner}}
			return m
		}, "aliases"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			z := serve(t, "b.test. 60 A 10.0.0.1")
			z.setReply(test.reply)
			b := asking(t, z, 300*time.Millisecond)
			answer, err := b.Lookup(t.Context(), name.MustNode("b@b.test"))
			if err == nil || errors.Is(err, discovery.ErrNotFound) || len(answer.Endpoints) > 0 {
				t.Fatalf("%v, %v: want an error that is not \"not found\"", answer, err)
			}
			if text := err.Error(); !strings.Contains(text, test.want) || test.want != "aliases" && !strings.Contains(text, z.addr) {
				t.Errorf("error %q should name the server %s and say %q", text, z.addr, test.want)
			}
			if health := b.Health(); health.State != plugin.Degraded || health.Detail != err.Error() {
				t.Errorf("health %+v", health)
			}
			z.setReply(nil)
			if _, err := b.Lookup(t.Context(), name.MustNode("b@b.test")); err != nil || b.Health().State != plugin.Healthy {
				t.Errorf("after the server is well again: %v, health %+v", err, b.Health())
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	z := &zone{addr: conn.LocalAddr().String()}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = asking(t, z, 5*time.Second).Lookup(t.Context(), name.MustNode("b@b.test"))
	if err == nil || !strings.Contains(err.Error(), "refused") || !strings.Contains(err.Error(), z.addr) {
		t.Errorf("error %v", err)
	}
}

func TestOneFamilyIsEnough(t *testing.T) {
	z := serve(t, "b.test. 60 A 10.0.0.1")
	z.setReply(func(_ string, m *dns.Msg) *dns.Msg {
		if m.Question[0].Qtype == dns.TypeAAAA {
			m.Rcode = dns.RcodeServerFailure
		}
		return m
	})
	answer, err := asking(t, z, 5*time.Second).Lookup(t.Context(), name.MustNode("b@b.test"))
	if got := texts(answer.Endpoints); err != nil || !slices.Equal(got, []string{"10.0.0.1:9100"}) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestLostDatagramIsAskedForAgain(t *testing.T) {
	z := serve(t, "b.test. 60 A 10.0.0.1")
	lost := make(chan struct{}, 1)
	lost <- struct{}{}
	z.setReply(func(_ string, m *dns.Msg) *dns.Msg {
		select {
		case <-lost:
			return nil
		default:
			return m
		}
	})
	if _, err := asking(t, z, 2*time.Second).Lookup(t.Context(), name.MustNode("b@b.test")); err != nil {
		t.Error(err)
	}
}

func TestSecondServerIsAskedWhenTheFirstIsSick(t *testing.T) {
	sick, well := serve(t), serve(t, "b.test. 60 A 10.0.0.1")
	sick.setReply(func(_ string, m *dns.Msg) *dns.Msg { m.Rcode = dns.RcodeServerFailure; return m })
	b := asking(t, sick, 5*time.Second)
	b.system = func() (*dns.ClientConfig, error) {
		return &dns.ClientConfig{Servers: []string{sick.addr, well.addr}, Ndots: 1}, nil
	}
	if _, err := b.Lookup(t.Context(), name.MustNode("b@b.test")); err != nil {
		t.Error(err)
	}
	if asked := sick.questions(); len(asked) != 1 {
		t.Errorf("the sick server was asked %v: once is enough to know", asked)
	}
}

func TestSearchDomains(t *testing.T) {
	z := serve(t, "b.svc.test. 60 A 10.0.0.1")
	b := asking(t, z, 5*time.Second)
	b.system = func() (*dns.ClientConfig, error) {
		return &dns.ClientConfig{Servers: []string{z.addr}, Search: []string{"other.test", "svc.test"}, Ndots: 1}, nil
	}
	answer, err := b.Lookup(t.Context(), name.MustNode("b@b"))
	if got := texts(answer.Endpoints); err != nil || !slices.Equal(got, []string{"10.0.0.1:9100"}) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestContextEndsALookup(t *testing.T) {
	z := serve(t)
	asked := make(chan struct{}, 8)
	z.setReply(func(string, *dns.Msg) *dns.Msg { asked <- struct{}{}; return nil })
	b := asking(t, z, time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	_, err := b.Lookup(ctx, name.MustNode("b@b.test"))
	if !errors.Is(err, context.Canceled) || errors.Is(err, discovery.ErrNotFound) {
		t.Errorf("error %v", err)
	}
	if b.Health().State != plugin.Healthy {
		t.Errorf("a caller that gave up made the health %+v", b.Health())
	}
}

func TestResolvConf(t *testing.T) {
	config, err := parseResolvConf(strings.NewReader("nameserver 10.0.0.1\nnameserver fd00::1\nsearch svc.test test\noptions ndots:5\n"))
	if err != nil || !slices.Equal(config.Servers, []string{"10.0.0.1:53", "[fd00::1]:53"}) || config.Ndots != 5 || len(config.Search) != 2 {
		t.Errorf("%+v, %v", config, err)
	}
	many := strings.Repeat("nameserver 10.0.0.1\n", 9) + "search" + strings.Repeat(" a.test", 99)
	config, err = parseResolvConf(strings.NewReader(many))
	if err != nil || len(config.Servers) != maxServers || len(config.Search) != maxSearch {
		t.Errorf("%+v, %v", config, err)
	}
	if _, err := parseResolvConf(strings.NewReader("search test\n")); err == nil || !strings.Contains(err.Error(), "nameserver") {
		t.Errorf("no nameserver: %v", err)
	}
}

func TestNoResolvConfIsNotNotFound(t *testing.T) {
	b := asking(t, &zone{addr: "127.0.0.1:53"}, time.Second)
	b.system = func() (*dns.ClientConfig, error) { return nil, errors.New("no resolv.conf") }
	_, err := b.Lookup(t.Context(), name.MustNode("b@b.test"))
	if err == nil || errors.Is(err, discovery.ErrNotFound) || b.Health().State != plugin.Degraded {
		t.Errorf("error %v, health %+v", err, b.Health())
	}
}

func TestValidate(t *testing.T) {
	tests := []struct {
		name     string
		settings Settings
		paths    []string
	}{
		{"defaults", *defaults(), nil},
		{"server with port", Settings{9100, time.Second, "10.0.0.53:5353"}, nil},
		{"server without port", Settings{9100, time.Second, "fd00::53"}, nil},
		{"server by name", Settings{9100, time.Second, "dns.test:53"}, nil},
		{"everything", Settings{0, 0, "dns.test"}, []string{"port", "timeout", "server"}},
		{"port too large", Settings{65536, time.Second, ""}, []string{"port"}},
		{"server with port zero", Settings{1, time.Second, "h:0"}, []string{"server"}},
		{"server without host", Settings{1, time.Second, ":53"}, []string{"server"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var paths []string
			for _, p := range test.settings.Validate() {
				paths = append(paths, p.Path)
			}
			if !slices.Equal(paths, test.paths) {
				t.Errorf("problems at %v, want %v", paths, test.paths)
			}
		})
	}
}

func TestBareAddressOfAServerGetsTheUsualPort(t *testing.T) {
	for text, want := range map[string]string{"": "", "10.0.0.53": "10.0.0.53:53", "fd00::53": "[fd00::53]:53", "h:5353": "h:5353"} {
		if got, err := (&Settings{Server: text}).server(); err != nil || got != want {
			t.Errorf("%q is %q, %v; want %q", text, got, err, want)
		}
	}
}

// FuzzReply feeds whatever a server may send to everything that reads replies.
func FuzzReply(f *testing.F) {
	for _, records := range [][]string{
		{"b.test. 60 A 10.0.0.1", "b.test. 60 AAAA fd00::1"},
		{"b.test. 60 CNAME b.test."}, {"b.test. 60 CNAME c.test.", "c.test. 60 CNAME b.test."},
		{"_barrel._udp.b.test. 60 SRV 0 0 1 .", "_barrel._udp.b.test. 60 SRV 1 0 2 c.test."},
	} {
		m := new(dns.Msg).SetQuestion("b.test.", dns.TypeA)
		for _, text := range records {
			rr, err := dns.NewRR(text)
			if err != nil {
				f.Fatal(err)
			}
			m.Answer = append(m.Answer, rr)
		}
		packed, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m := new(dns.Msg)
		if m.Unpack(data) != nil {
			return
		}
		matches(new(dns.Msg).SetQuestion("b.test.", dns.TypeA), m)
		end, _ := followAliases(m.Answer, "b.test.")
		ipsOf(m.Answer, end)
		if targets := targetsOf(m.Answer); len(targets) > maxTargets {
			t.Errorf("%d targets", len(targets))
		}
	})
}
