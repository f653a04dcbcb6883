package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// demoDNS is the smallest name server that can tell where a node is: SRV and A records
// of hosts that all are this machine.
type demoDNS struct {
	address string
	server  *dns.Server
	done    chan struct{}

	mu    sync.Mutex
	ports map[string]uint16 // by host
}

func startDemoDNS(ctx context.Context) (*demoDNS, error) {
	conn, err := (&net.ListenConfig{}).ListenPacket(ctx, "udp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("name server: %w", err)
	}
	d := &demoDNS{address: conn.LocalAddr().String(), done: make(chan struct{}), ports: map[string]uint16{}}
	started := make(chan struct{})
	d.server = &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(d.answer), NotifyStartedFunc: func() { close(started) }}
	go func() {
		defer close(d.done)
		_ = d.server.ActivateAndServe()
	}()
	<-started
	return d, nil
}

// add makes the host of a node known.
func (d *demoDNS) add(node name.Node, port uint16) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ports[node.Host()] = port
}

// record is what add made known, as a zone file has it.
func (d *demoDNS) record(node name.Node) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return fmt.Sprintf("_barrel._udp.%s. SRV 0 0 %d %s.", node.Host(), d.ports[node.Host()], node.Host())
}

func (d *demoDNS) answer(w dns.ResponseWriter, question *dns.Msg) {
	reply := new(dns.Msg)
	reply.SetReply(question)
	reply.Authoritative = true
	for _, q := range question.Question {
		host, isService := strings.CutPrefix(strings.ToLower(strings.TrimSuffix(q.Name, ".")), "_barrel._udp.")
		d.mu.Lock()
		port, known := d.ports[host]
		d.mu.Unlock()
		header := dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET, Ttl: 5}
		switch {
		case !known:
			reply.Rcode = dns.RcodeNameError
		case isService && q.Qtype == dns.TypeSRV:
			reply.Answer = append(reply.Answer, &dns.SRV{Hdr: header, Port: port, Target: dns.Fqdn(host)})
		case !isService && q.Qtype == dns.TypeA:
			reply.Answer = append(reply.Answer, &dns.A{Hdr: header, A: net.IPv4(127, 0, 0, 1)})
		}
	}
	_ = w.WriteMsg(reply)
}

func (d *demoDNS) stop() {
	_ = d.server.Shutdown()
	<-d.done
}
