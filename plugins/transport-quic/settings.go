package transportquic

import (
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// Settings is what can be set about the QUIC transport.
type Settings struct {
	Listen      string        `setting:"listen" help:"UDP address to listen on, host:port; an empty host is every address, port 0 a free port"`
	Advertise   string        `setting:"advertise" help:"where peers dial this node, host or host:port; empty is derived from listen and the node's name"`
	Heartbeat   time.Duration `setting:"heartbeat" help:"how often each end of a link says that it lives"`
	IdleTimeout time.Duration `setting:"idle_timeout" help:"for how long a peer may be silent; at least three heartbeats, the same on all nodes"`
	CertFile    string        `setting:"cert_file" help:"PEM certificate to use instead of a self-made one; never written to"`
	KeyFile     string        `setting:"key_file" help:"PEM private key of cert_file; never written to"`
	CertDays    int           `setting:"cert_days" help:"for how many days a self-made certificate is valid"`
}

func defaults() *Settings {
	return &Settings{Listen: ":0", Heartbeat: time.Second, IdleTimeout: 3 * time.Second, CertDays: 365}
}

// maxCertDays keeps the end of a certificate within four-digit years.
const maxCertDays = 36500

// Validate reports every value that cannot work.
func (s *Settings) Validate() []plugin.Problem {
	var problems []plugin.Problem
	report := func(path, text, hint string) {
		if text != "" {
			problems = append(problems, plugin.Problem{Path: path, Text: text, Hint: hint})
		}
	}
	report("listen", wrongListen(s.Listen), "write it as :9100 or 10.0.0.1:9100, with an IPv6 host in brackets")
	report("advertise", wrongAdvertise(s.Advertise), "write it as node1.example.com or 203.0.113.7:9100")
	if s.Heartbeat <= 0 {
		report("heartbeat", "must be more than zero", "the default is 1s")
	} else if s.IdleTimeout < 3*s.Heartbeat {
		report("idle_timeout", "is less than three heartbeats", "write at least "+(3*s.Heartbeat).String())
	}
	if s.CertFile != "" && s.KeyFile == "" {
		report("key_file", "is missing while cert_file is set", "set both, or none to get a self-made certificate")
	}
	if s.KeyFile != "" && s.CertFile == "" {
		report("cert_file", "is missing while key_file is set", "set both, or none to get a self-made certificate")
	}
	if s.CertDays < 1 || s.CertDays > maxCertDays {
		report("cert_days", "must be from 1 to "+strconv.Itoa(maxCertDays), "the default is 365")
	}
	return problems
}

func wrongListen(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "is not host:port"
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "has a port that is no number from 0 to 65535"
	}
	if host == "" {
		return ""
	}
	return wrongHost(host)
}

func wrongHost(host string) string {
	if _, err := name.ParseAddress(net.JoinHostPort(host, "1")); err != nil {
		return "has a host that is neither a name nor an IP address"
	}
	return ""
}

func wrongAdvertise(advertise string) string {
	if advertise == "" {
		return ""
	}
	host, port := splitAdvertise(advertise)
	if port != "" {
		if _, err := name.ParseAddress(advertise); err != nil {
			return "is neither a host nor host:port"
		}
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.IsUnspecified() {
		return "is an address that nobody can dial"
	}
	return wrongHost(host)
}

// splitAdvertise takes a host, with or without brackets, or host:port apart.
func splitAdvertise(advertise string) (host, port string) {
	if host, port, err := net.SplitHostPort(advertise); err == nil {
		return host, port
	}
	if n := len(advertise); n > 2 && advertise[0] == '[' && advertise[n-1] == ']' {
		return advertise[1 : n-1], ""
	}
	return advertise, ""
}
