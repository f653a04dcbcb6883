package discoverydns

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/miekg/dns"
)

const (
	resolvConfPath = "/etc/resolv.conf"
	maxResolvConf  = 64 << 10
	maxServers     = 3 // as in resolv.conf(5)
	maxSearch      = 6
)

// resolvConf reads whom the system asks. It is read for each lookup: the file changes
// when a machine moves to another network.
func resolvConf() (*dns.ClientConfig, error) {
	f, err := os.Open(resolvConfPath)
	if err != nil {
		return nil, fmt.Errorf("%w: set discovery.dns.server", err)
	}
	config, err := parseResolvConf(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", resolvConfPath, err)
	}
	return config, nil
}

func parseResolvConf(r io.Reader) (*dns.ClientConfig, error) {
	config, err := dns.ClientConfigFromReader(io.LimitReader(r, maxResolvConf))
	if err != nil {
		return nil, err
	}
	if len(config.Servers) == 0 {
		return nil, errors.New("no nameserver in it: set discovery.dns.server")
	}
	config.Servers = config.Servers[:min(len(config.Servers), maxServers)]
	config.Search = config.Search[:min(len(config.Search), maxSearch)]
	for i, server := range config.Servers {
		config.Servers[i] = net.JoinHostPort(server, config.Port)
	}
	return config, nil
}

// single asks one server, for names as they are written.
func single(server string) (*dns.ClientConfig, error) {
	return &dns.ClientConfig{Servers: []string{server}, Ndots: 1}, nil
}
