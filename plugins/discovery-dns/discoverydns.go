// Package discoverydns is the discovery backend that asks the DNS for the host half
// of a node's name. For a@b.example.com it asks, in this order:
//
//	_barrel._udp.b.example.com  SRV       host names and ports, several if need be
//	b.example.com               A, AAAA   addresses, with the port of the settings
//
// The second only if the zone has no SRV record. A host that is an IP address is its
// own answer and nobody is asked. All nodes of one host share its records: of several,
// the handshake finds out which is which.
//
// It publishes nothing and keeps nothing: how long an answer holds is the smallest
// time to live of the records it was made from (RFC 1035, 3.2.1), and the resolver's
// cache goes by that. It reads neither /etc/hosts nor multicast DNS.
//
// Operators come here for clusters whose hosts have names: headless services of
// Kubernetes, zones of their own.
//
//	discovery:
//	  use: [dns]
//	  dns: {port: 9100, timeout: 5s, server: "10.0.0.53:53"}
package discoverydns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/miekg/dns"
)

var (
	_ discovery.Plugin      = (*backend)(nil)
	_ plugin.HealthReporter = (*backend)(nil)
)

// Factory makes the backend "dns".
func Factory() discovery.Factory {
	return plugin.Define("dns", "SRV, A and AAAA records of the host in a node's name", defaults, newBackend)
}

type backend struct {
	port    uint16
	timeout time.Duration
	system  func() (*dns.ClientConfig, error) // whom to ask, read anew for each lookup
	trouble atomic.Pointer[string]            // why the last lookup failed; nil: it did not
}

func newBackend(_ discovery.Env, s *Settings) (discovery.Plugin, error) {
	server, err := s.server()
	if err != nil {
		return nil, fmt.Errorf("discovery dns: server: %w", err)
	}
	b := &backend{port: uint16(s.Port), timeout: s.Timeout, system: resolvConf}
	if server != "" {
		b.system = func() (*dns.ClientConfig, error) { return single(server) }
	}
	return b, nil
}

func (b *backend) Start(context.Context) error { return nil }

func (b *backend) Stop(context.Context) error { return nil }

// Health tells of the last lookup, if it could not be answered.
func (b *backend) Health() plugin.Health {
	if trouble := b.trouble.Load(); trouble != nil {
		return plugin.Health{State: plugin.Degraded, Detail: *trouble}
	}
	return plugin.Health{State: plugin.Healthy}
}

// Lookup asks for the host of node. An error that is not ErrNotFound names the server
// that could not tell.
func (b *backend) Lookup(ctx context.Context, node name.Node) (discovery.Answer, error) {
	if err := ctx.Err(); err != nil {
		return discovery.Answer{}, err
	}
	host := node.Host()
	if ips := literal(host); len(ips) > 0 {
		return discovery.Answer{Endpoints: addresses(ips, b.port)}, nil
	}
	found, err := b.ask(ctx, host)
	if err != nil && ctx.Err() != nil && !errors.Is(err, discovery.ErrNotFound) {
		return discovery.Answer{}, fmt.Errorf("%w: %w", ctx.Err(), err) // the caller's doing, no trouble of the server
	}
	b.remember(err)
	if err != nil {
		return discovery.Answer{}, err
	}
	return discovery.Answer{Endpoints: found.endpoints, TTL: found.ttl}, nil
}

func (b *backend) remember(err error) {
	if err == nil || errors.Is(err, discovery.ErrNotFound) {
		b.trouble.Store(nil)
		return
	}
	text := err.Error()
	b.trouble.Store(&text)
}

// ask tries the host name as the system would spell it out: with search domains where
// resolv.conf has them.
func (b *backend) ask(ctx context.Context, host string) (answer, error) {
	if _, ok := dns.IsDomainName(host); !ok {
		return answer{}, fmt.Errorf("host %q cannot be in the DNS: %w", host, discovery.ErrNotFound)
	}
	config, err := b.system()
	if err != nil {
		return answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	q := &questioner{servers: config.Servers}
	var failed error
	for _, candidate := range config.NameList(host) {
		found, err := b.askName(ctx, q, candidate)
		if err == nil {
			return found, nil
		}
		if !errors.Is(err, discovery.ErrNotFound) && failed == nil {
			failed = err
		}
	}
	if failed != nil {
		return answer{}, failed
	}
	return answer{}, fmt.Errorf("no SRV, A or AAAA records for host %q: %w", host, discovery.ErrNotFound)
}

func (b *backend) askName(ctx context.Context, q *questioner, host string) (answer, error) {
	found, err := q.services(ctx, host)
	if !errors.Is(err, errNoRecords) {
		return found, err
	}
	hosts, err := q.hosts(ctx, host)
	if errors.Is(err, errNoRecords) {
		return answer{}, discovery.ErrNotFound
	}
	if err != nil {
		return answer{}, err
	}
	return answer{endpoints: addresses(hosts.ips, b.port), ttl: hosts.ttl.duration()}, nil
}

// answer is what Lookup makes an Answer of.
type answer struct {
	endpoints []name.Address
	ttl       time.Duration
}

// literal is the IP addresses that host means by itself: an IP address, or localhost,
// which is never asked for (RFC 6761, 6.3).
func literal(host string) []netip.Addr {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip}
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	}
	return nil
}

func addresses(ips []netip.Addr, port uint16) []name.Address {
	out := make([]name.Address, len(ips))
	for i, ip := range ips {
		out[i] = name.AddressFrom(netip.AddrPortFrom(ip, port))
	}
	return out
}
