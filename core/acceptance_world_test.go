package core_test

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/quic-go/quic-go/testutils/simnet"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/core/config"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/plugins"
	transportquic "github.com/barrelp2p/barrel/plugins/transport-quic"
)

// world is a lab in the virtual time of a bubble: whole nodes, the real QUIC, and a
// packet network that exists in memory only.
type world struct {
	*lab
	ether *ether
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{lab: &lab{t: t, catalog: plugins.All()}, ether: &ether{
		hosts: map[string]simnet.PacketReceiver{}, dead: map[string]bool{}, sides: map[string]int{}, slow: map[string]*slowness{}, moved: map[string]string{},
	}}
}

// node makes a node from a configuration file.
func (w *world) node(yaml string, opts ...core.Option) *core.Node {
	w.t.Helper()
	cfg := w.loadFile(yaml)
	return w.make(cfg, append(opts, core.WithoutSocket(), w.ether.transport(cfg))...)
}

// boot makes a node and starts it.
func (w *world) boot(yaml string) *core.Node {
	w.t.Helper()
	return w.run(w.node(yaml))
}

func ipOf(addr net.Addr) string { return netip.MustParseAddrPort(addr.String()).Addr().String() }

// transport puts the node of a configuration on the ether, at the host of its name.
func (e *ether) transport(cfg *config.Config) core.Option {
	settings := cfg.Settings(plugin.Transport, "quic").(*transportquic.Settings)
	return core.WithTransport("quic", func(env transport.Env) (transport.Plugin, error) {
		return transportquic.NewOn(env, settings, func(context.Context) (net.PacketConn, error) {
			_, port, err := net.SplitHostPort(settings.Listen)
			if err != nil {
				return nil, err
			}
			number, err := strconv.Atoi(port)
			return simnet.NewSimConn(&net.UDPAddr{IP: net.ParseIP(cfg.Node.Name.Host()), Port: number}, e), err
		})
	})
}

// since waits for something and returns how long that took, in virtual time to the
// precision of the polling.
func since(t *testing.T, what string, cond func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	eventually(t, what, cond)
	return time.Since(began)
}
