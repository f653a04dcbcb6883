package name

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Address is where a node can be dialed, host:port. What the host means is the
// transport's business; for QUIC it is a DNS name, an IPv4 address or an IPv6 address
// in brackets, and the port is a UDP port.
type Address struct{ text string }

// ParseAddress reads host:port with a port from 1 to 65535. The error wraps ErrInvalid.
func ParseAddress(s string) (Address, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil || len(s) > MaxNode+6 {
		return Address{}, invalid("address", clip(s), "write host:port, an IPv6 host in brackets")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return Address{}, invalid("address", s, "port must be a number from 1 to 65535")
	}
	host, why := canonicalDialHost(host)
	if why != "" {
		return Address{}, invalid("address", s, "host "+why)
	}
	return Address{text: net.JoinHostPort(host, strconv.FormatUint(n, 10))}, nil
}

// MustAddress is ParseAddress for addresses written in source code; it panics on an error.
func MustAddress(s string) Address {
	a, err := ParseAddress(s)
	if err != nil {
		panic(err)
	}
	return a
}

// AddressFrom is the address of an IP address and port that are known to be good.
func AddressFrom(ap netip.AddrPort) Address {
	return Address{text: netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()).String()}
}

func canonicalDialHost(host string) (string, string) {
	if addr, err := netip.ParseAddr(host); err == nil {
		if why := checkZone(addr.Zone()); why != "" {
			return "", why
		}
		return addr.Unmap().String(), ""
	}
	if why := checkHostname(host); why != "" {
		return "", why
	}
	return strings.ToLower(host), ""
}

// checkZone: a zone is the name of a network interface, as eth0 in fe80::1%eth0.
func checkZone(zone string) string {
	if zone == "" {
		return ""
	}
	if why := checkLabel(zone); why != "" {
		return "has a zone that " + why
	}
	return ""
}

// String is host:port, or "" for the zero Address.
func (a Address) String() string { return a.text }

// IsZero reports whether a is no address.
func (a Address) IsZero() bool { return a.text == "" }

// Host is the part before the port, an IPv6 address without its brackets.
func (a Address) Host() string { host, _, _ := net.SplitHostPort(a.text); return host }

// Port is the port, 1 to 65535, or 0 for the zero Address.
func (a Address) Port() uint16 {
	_, port, _ := net.SplitHostPort(a.text)
	n, _ := strconv.ParseUint(port, 10, 16)
	return uint16(n)
}

// Compare orders addresses by their text.
func (a Address) Compare(other Address) int { return strings.Compare(a.text, other.text) }

// MarshalText makes Address usable in JSON and YAML.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.text), nil }

// UnmarshalText is ParseAddress; empty text gives the zero Address.
func (a *Address) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*a = Address{}
		return nil
	}
	*a, err = ParseAddress(string(text))
	return err
}

func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "..."
	}
	return s
}
