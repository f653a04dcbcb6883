package transportquic

import (
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// maxAdvertised bounds how many addresses of this machine are advertised.
const maxAdvertised = 8

// advertised is where peers can dial a node that listens at bound, the best first:
// what the settings say; else the bound address if it is one; else the host of the
// node's name if that is an IP address from which the machine has not moved away; else
// the addresses of this machine.
func advertised(advertise string, bound netip.AddrPort, node name.Node, here *machine) []name.Address {
	if advertise != "" {
		return explicit(advertise, bound.Port())
	}
	if !bound.Addr().IsUnspecified() {
		return []name.Address{name.AddressFrom(bound)}
	}
	if host, err := netip.ParseAddr(node.Host()); err == nil && !host.IsUnspecified() && !here.moved(host) {
		return []name.Address{name.AddressFrom(netip.AddrPortFrom(host, bound.Port()))}
	}
	var addresses []name.Address
	for _, addr := range reachable(here.addresses(), bound.Addr().Is4()) {
		addresses = append(addresses, name.AddressFrom(netip.AddrPortFrom(addr, bound.Port())))
	}
	return addresses
}

func explicit(advertise string, boundPort uint16) []name.Address {
	host, port := splitAdvertise(advertise)
	if port == "" {
		port = strconv.Itoa(int(boundPort))
	}
	addr, err := name.ParseAddress(net.JoinHostPort(host, port))
	if err != nil {
		return nil // Validate has refused it
	}
	return []name.Address{addr}
}

// reachable orders the addresses of a machine: IPv4 before IPv6, each in the order of
// the machine; loopback only if there is nothing else.
func reachable(machine []netip.Addr, only4 bool) []netip.Addr {
	var outer, loopback []netip.Addr
	for _, addr := range machine {
		addr = addr.Unmap()
		switch {
		case only4 && !addr.Is4(), addr.IsLinkLocalUnicast(), addr.IsMulticast(), addr.IsUnspecified():
		case addr.IsLoopback():
			loopback = append(loopback, addr)
		default:
			outer = append(outer, addr)
		}
	}
	if len(outer) == 0 {
		outer = loopback
	}
	slices.SortStableFunc(outer, func(a, b netip.Addr) int { return a.BitLen() - b.BitLen() })
	return outer[:min(len(outer), maxAdvertised)]
}

// addrPort is the IP address and port of a socket address.
func addrPort(a net.Addr) netip.AddrPort {
	if udp, ok := a.(*net.UDPAddr); ok {
		ap := udp.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.AddrPort{}
	}
	return ap
}
