package discoverydns

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// Settings is the section discovery.dns.
type Settings struct {
	Port    int           `setting:"port" help:"UDP port of nodes whose zone has no SRV record, 1 to 65535"`
	Timeout time.Duration `setting:"timeout" help:"for one lookup with all its questions; at least 10ms"`
	Server  string        `setting:"server" help:"the DNS server to ask, host:port or an IP address; empty: those of /etc/resolv.conf"`
}

func defaults() *Settings { return &Settings{Port: 9100, Timeout: 5 * time.Second} }

// Validate reports values that cannot work.
func (s *Settings) Validate() []plugin.Problem {
	var problems []plugin.Problem
	if s.Port < 1 || s.Port > 65535 {
		problems = append(problems, plugin.Problem{Path: "port", Text: fmt.Sprintf("%d is no port", s.Port), Hint: "write a number from 1 to 65535, as 9100"})
	}
	if s.Timeout < 10*time.Millisecond {
		problems = append(problems, plugin.Problem{Path: "timeout", Text: "shorter than 10ms", Hint: "write 5s"})
	}
	if _, err := s.server(); err != nil {
		problems = append(problems, plugin.Problem{Path: "server", Text: err.Error(), Hint: `write host:port, as "10.0.0.53:53"`})
	}
	return problems
}

// server is the address to ask, "" for those of the system.
func (s *Settings) server() (string, error) {
	if s.Server == "" {
		return "", nil
	}
	if addr, err := netip.ParseAddr(s.Server); err == nil {
		return net.JoinHostPort(addr.String(), "53"), nil
	}
	host, port, err := net.SplitHostPort(s.Server)
	if err != nil {
		return "", fmt.Errorf("%q is no host:port", s.Server)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" {
		return "", fmt.Errorf("%q is no host:port", s.Server)
	}
	return s.Server, nil
}
