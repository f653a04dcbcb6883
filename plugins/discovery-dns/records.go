package discoverydns

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/miekg/dns"
)

// service is the prefix of the SRV records (RFC 2782): service and protocol.
const service = "_barrel._udp."

const (
	maxTargets   = 8  // SRV records that are followed
	maxEndpoints = 16 // addresses of one answer
	maxAliases   = 8  // CNAMEs in a row
)

// errNoRecords: the zone says that it has no such record.
var errNoRecords = errors.New("no records")

// services follows the SRV records of host; errNoRecords if there are none.
func (q *questioner) services(ctx context.Context, host string) (answer, error) {
	owner := service + host
	if _, ok := dns.IsDomainName(owner); !ok {
		return answer{}, errNoRecords // too long with the prefix
	}
	set, err := q.resolve(ctx, owner, dns.TypeSRV)
	if err != nil {
		return answer{}, err
	}
	targets := targetsOf(set.records)
	if len(targets) == 0 {
		return answer{}, fmt.Errorf("%s SRV has no usable target: %w", owner, discovery.ErrNotFound)
	}
	return q.follow(ctx, targets, set)
}

// follow collects the addresses of SRV targets in order. One target that cannot be
// resolved does not spoil the others.
func (q *questioner) follow(ctx context.Context, targets []*dns.SRV, set recordSet) (answer, error) {
	var endpoints []name.Address
	var failed error
	ttl := set.ttl
	for _, target := range targets {
		hosts, err := q.targetHosts(ctx, target.Target, set.extra)
		switch {
		case err == nil:
			endpoints = append(endpoints, addresses(hosts.ips, target.Port)...)
			ttl = min(ttl, hosts.ttl)
		case failed == nil && !errors.Is(err, errNoRecords):
			failed = err
		}
	}
	endpoints = unique(endpoints)
	switch {
	case len(endpoints) > 0:
		return answer{endpoints: endpoints[:min(len(endpoints), maxEndpoints)], ttl: ttl.duration()}, nil
	case failed != nil:
		return answer{}, failed
	}
	return answer{}, fmt.Errorf("no addresses for the target %s: %w", targets[0].Target, discovery.ErrNotFound)
}

// targetsOf sorts by priority, then the heavier first, then by text, so that the same
// records always give the same answer. Nodes are not a pool of equals behind one
// name, so the lottery of RFC 2782 is not held.
func targetsOf(records []dns.RR) []*dns.SRV {
	var targets []*dns.SRV
	for _, rr := range records {
		if srv, ok := rr.(*dns.SRV); ok && srv.Port != 0 && srv.Target != "." {
			targets = append(targets, srv)
		}
	}
	slices.SortFunc(targets, func(a, b *dns.SRV) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(b.Weight, a.Weight),
			strings.Compare(a.Target, b.Target), cmp.Compare(a.Port, b.Port))
	})
	return targets[:min(len(targets), maxTargets)]
}

// hostSet is the addresses of a host.
type hostSet struct {
	ips []netip.Addr
	ttl seconds
}

// targetHosts takes the addresses that came with the SRV answer, or asks.
func (q *questioner) targetHosts(ctx context.Context, host string, extra []dns.RR) (hostSet, error) {
	if ips, ttl := ipsOf(extra, host); len(ips) > 0 {
		return hostSet{ips: ips, ttl: ttl}, nil
	}
	return q.hosts(ctx, host)
}

// hosts asks for A, then AAAA; errNoRecords if there are neither. One of the two is
// enough if the other cannot be told.
func (q *questioner) hosts(ctx context.Context, host string) (hostSet, error) {
	all := hostSet{ttl: maxTTL}
	var failed error
	for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA} {
		set, err := q.resolve(ctx, host, kind)
		if err != nil {
			if !errors.Is(err, errNoRecords) && failed == nil {
				failed = err
			}
			continue
		}
		ips, _ := ipsOf(set.records, set.owner)
		all.ips = append(all.ips, ips...)
		all.ttl = min(all.ttl, set.ttl)
	}
	all.ips = unique(all.ips)
	switch {
	case len(all.ips) > 0:
		all.ips = all.ips[:min(len(all.ips), maxEndpoints)]
		return all, nil
	case failed != nil:
		return hostSet{}, failed
	}
	return hostSet{}, errNoRecords
}

// recordSet is the records of one type at the end of the aliases of a name.
type recordSet struct {
	owner   string // where the aliases led
	records []dns.RR
	extra   []dns.RR // the additional section
	ttl     seconds  // the smallest of the aliases and the records
}

// resolve asks for records of one type and follows aliases, asking again where an
// answer does not hold the whole chain.
func (q *questioner) resolve(ctx context.Context, owner string, kind uint16) (recordSet, error) {
	ttl := maxTTL
	owner = dns.CanonicalName(owner)
	for range maxAliases {
		reply, err := q.exchange(ctx, owner, kind)
		if err != nil {
			return recordSet{}, err
		}
		end, aliasTTL := followAliases(reply.Answer, owner)
		ttl = min(ttl, aliasTTL)
		records, recordTTL := recordsOf(reply.Answer, end, kind)
		if len(records) > 0 {
			return recordSet{owner: end, records: records, extra: reply.Extra, ttl: min(ttl, recordTTL)}, nil
		}
		if end == owner || reply.Rcode == dns.RcodeNameError {
			return recordSet{}, errNoRecords
		}
		owner = end
	}
	return recordSet{}, fmt.Errorf("%s: more than %d aliases in a row", owner, maxAliases)
}

func followAliases(records []dns.RR, owner string) (string, seconds) {
	ttl := maxTTL
	for range maxAliases {
		alias := aliasOf(records, owner)
		if alias == nil {
			break
		}
		owner, ttl = dns.CanonicalName(alias.Target), min(ttl, ttlOf(alias))
	}
	return owner, ttl
}

func aliasOf(records []dns.RR, owner string) *dns.CNAME {
	for _, rr := range records {
		if alias, ok := rr.(*dns.CNAME); ok && dns.CanonicalName(alias.Hdr.Name) == owner {
			return alias
		}
	}
	return nil
}

func recordsOf(records []dns.RR, owner string, kind uint16) ([]dns.RR, seconds) {
	var found []dns.RR
	ttl := maxTTL
	for _, rr := range records {
		if h := rr.Header(); h.Rrtype == kind && h.Class == dns.ClassINET && dns.CanonicalName(h.Name) == owner {
			found = append(found, rr)
			ttl = min(ttl, ttlOf(rr))
		}
	}
	return found, ttl
}

// ipsOf is the usable addresses of owner among records: not those that mean nobody or
// everybody, which blocking resolvers like to answer.
func ipsOf(records []dns.RR, owner string) ([]netip.Addr, seconds) {
	var ips []netip.Addr
	ttl := maxTTL
	owner = dns.CanonicalName(owner)
	for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA} {
		found, kindTTL := recordsOf(records, owner, kind)
		for _, rr := range found {
			if ip, ok := netip.AddrFromSlice(ipOf(rr)); ok && !ip.IsUnspecified() && !ip.IsMulticast() {
				ips = append(ips, ip.Unmap())
				ttl = min(ttl, kindTTL)
			}
		}
	}
	return ips, ttl
}

func ipOf(rr dns.RR) net.IP {
	switch rr := rr.(type) {
	case *dns.A:
		return rr.A
	case *dns.AAAA:
		return rr.AAAA
	}
	return nil
}

// seconds is a time to live as it stands in a record.
type seconds uint32

// maxTTL is the largest time to live; larger numbers mean zero (RFC 2181, 8).
const maxTTL seconds = 1<<31 - 1

func ttlOf(rr dns.RR) seconds {
	if ttl := seconds(rr.Header().Ttl); ttl <= maxTTL {
		return ttl
	}
	return 0
}

// duration is at least a moment: zero would mean that the resolver may decide, and a
// zero in a record means not to keep it.
func (s seconds) duration() time.Duration {
	return max(time.Duration(s)*time.Second, time.Millisecond)
}

// unique keeps the first of each and the order.
func unique[E comparable](list []E) []E {
	var out []E
	for _, e := range list {
		if !slices.Contains(out, e) {
			out = append(out, e)
		}
	}
	return out
}
