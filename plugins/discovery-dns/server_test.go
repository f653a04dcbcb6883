package discoverydns

import (
	"errors"
	"net"
	"strings"
	"sync"

	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/miekg/dns"
)

// zone is a DNS server on loopback that knows records as they stand in zone files.
type zone struct {
	addr string

	mu      sync.Mutex
	records []dns.RR
	asked   []string // "udp b.test. SRV"
	// reply, if set, may change or replace the answer; nil: the server stays silent.
	reply func(network string, m *dns.Msg) *dns.Msg
}

// serve starts a server over UDP and TCP at one port of 127.0.0.1.
func serve(t plugintest.T, records ...string) *zone {
	t.Helper()
	z := &zone{}
	z.add(t, records...)
	udp, tcp := onePort(t)
	z.addr = udp.LocalAddr().String()
	z.run(t, &dns.Server{PacketConn: udp, Handler: z.handler("udp")})
	z.run(t, &dns.Server{Listener: tcp, Handler: z.handler("tcp")})
	return z
}

// onePort binds a port of 127.0.0.1 for UDP and for TCP. The system gives a port that is free
// for the one; that it is free for the other too is likely, not certain, so it asks again.
func onePort(t plugintest.T) (net.PacketConn, net.Listener) {
	t.Helper()
	var refused error
	for range 20 {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatalf("listen: %v", err)
		}
		udp, err := net.ListenPacket("udp", tcp.Addr().String())
		if err == nil {
			return udp, tcp
		}
		refused = errors.Join(refused, err, tcp.Close())
	}
	t.Fatalf("listen: no port is free for both: %v", refused)
	return nil, nil
}

func (z *zone) run(t plugintest.T, s *dns.Server) {
	started, done := make(chan struct{}), make(chan error, 1)
	s.NotifyStartedFunc = func() { close(started) }
	go func() { done <- s.ActivateAndServe() }()
	<-started
	t.Cleanup(func() {
		if err := s.Shutdown(); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
}

func (z *zone) add(t plugintest.T, records ...string) {
	t.Helper()
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, text := range records {
		rr, err := dns.NewRR(text)
		if err != nil {
			t.Fatalf("record %q: %v", text, err)
		}
		z.records = append(z.records, rr)
	}
}

func (z *zone) handler(network string) dns.HandlerFunc {
	return func(w dns.ResponseWriter, question *dns.Msg) {
		z.mu.Lock()
		q := question.Question[0]
		z.asked = append(z.asked, network+" "+q.Name+" "+dns.TypeToString[q.Qtype])
		m := z.answer(question)
		reply := z.reply
		z.mu.Unlock()
		if reply != nil {
			m = reply(network, m)
		}
		if m == nil {
			return
		}
		if network == "udp" {
			m.Truncate(udpSize)
		}
		_ = w.WriteMsg(m) // a client that hung up is no failure of the test
	}
}

// answer is NXDOMAIN for names that have no record and no name below them.
func (z *zone) answer(question *dns.Msg) *dns.Msg {
	m := new(dns.Msg).SetReply(question)
	q := question.Question[0]
	exists := false
	for _, rr := range z.records {
		h := rr.Header()
		exists = exists || h.Name == q.Name || strings.HasSuffix(h.Name, "."+q.Name)
		if h.Name == q.Name && (h.Rrtype == q.Qtype || h.Rrtype == dns.TypeCNAME) {
			m.Answer = append(m.Answer, rr)
		}
	}
	if !exists {
		m.Rcode = dns.RcodeNameError
	}
	return m
}

func (z *zone) setReply(reply func(network string, m *dns.Msg) *dns.Msg) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.reply = reply
}

func (z *zone) questions() []string {
	z.mu.Lock()
	defer z.mu.Unlock()
	return append([]string(nil), z.asked...)
}
