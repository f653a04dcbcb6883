// Package transportquic is the transport "quic", the default: QUIC (RFC 9000) over one
// UDP socket that both listens and dials, TLS 1.3 with a self-signed certificate on
// each side, streams and datagrams.
//
// It is not where peers are authenticated: certificates are neither verified nor
// trusted. It contributes Info.Binding, the TLS exporter value of the connection (RFC
// 9266), over which the handshake above proves the keys of both nodes. It also does
// not decide when a peer is gone: links do, by heartbeats; the idle timeout of QUIC is
// set above theirs and catches what they miss.
//
// Programs come here through Factory, in a catalog; tests that want the real protocol
// stack on a packet network of their own come through NewOn.
//
//	transport:
//	  use: quic
//	  quic: {listen: ":9100"}
package transportquic

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// Factory makes QUIC transports.
func Factory() transport.Factory {
	build := func(env transport.Env, s *Settings) (transport.Plugin, error) {
		return newSocketCarrier(env, s), nil
	}
	return plugin.Define("quic", "QUIC over one UDP port, TLS 1.3 on both sides", defaults, build)
}

// NewOn makes a QUIC transport on packet connections that open returns, one for each
// Start, in place of a UDP socket; Settings.Listen is not used. Their addresses must
// read as IP address and port. The transport closes them. It is for running the real
// protocol on a simulated network.
func NewOn(env transport.Env, s *Settings, open func(context.Context) (net.PacketConn, error)) (transport.Plugin, error) {
	return newCarrier(env, s, open, open), nil
}

func newCarrier(env transport.Env, s *Settings, open, fresh func(context.Context) (net.PacketConn, error)) *carrier {
	return &carrier{env: env, settings: *s, open: open, fresh: fresh, certs: newCertStore(env, s), here: &machine{look: machineAddresses}}
}

// newSocketCarrier works on UDP sockets: the one of the node, and those that connections
// move to.
func newSocketCarrier(env transport.Env, s *Settings) *carrier {
	open := func(listen string) func(context.Context) (net.PacketConn, error) {
		return func(ctx context.Context) (net.PacketConn, error) { return listenUDP(ctx, listen, env.Log) }
	}
	host, _, err := net.SplitHostPort(s.Listen)
	if err != nil {
		host = "" // Start says what is wrong
	}
	c := newCarrier(env, s, open(s.Listen), open(net.JoinHostPort(host, "0")))
	c.source = sourceOf
	return c
}

var (
	_ transport.Plugin             = (*carrier)(nil)
	_ transport.CertificateRotator = (*carrier)(nil)
	_ plugin.HealthReporter        = (*carrier)(nil)
	_ plugin.Validator             = (*Settings)(nil)
)

// carrier is the transport; what it has while it runs is a life.
type carrier struct {
	env      transport.Env
	settings Settings
	open     func(context.Context) (net.PacketConn, error)
	fresh    func(context.Context) (net.PacketConn, error) // for a connection that moves
	path     Path                                          // nil: all go straight
	certs    *certStore
	here     *machine
	source   func(netip.AddrPort) (netip.Addr, error) // from which address the system sends; nil: not over its sockets

	mu   sync.Mutex
	life *life
}

// Start reads or makes the certificate, binds the socket and listens.
func (c *carrier) Start(ctx context.Context) error {
	if c.running() != nil {
		return errors.New("transport quic: already started")
	}
	if err := c.certs.load(time.Now()); err != nil {
		return err
	}
	keys, err := loadSocketKeys(c.certs.dir, c.env.Log)
	if err != nil {
		return err
	}
	socket, err := c.open(ctx)
	if err != nil {
		return err
	}
	l, err := newLife(c, socket, keys)
	if err != nil {
		return errors.Join(err, socket.Close())
	}
	if !l.run(c.certs.watch) {
		return errors.Join(errors.New("transport quic: the node is stopping"), l.stop())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.life = l
	return nil
}

// Stop tells every peer and closes the socket.
func (c *carrier) Stop(ctx context.Context) error {
	c.mu.Lock()
	l := c.life
	c.life = nil
	c.mu.Unlock()
	var err error
	if l != nil {
		err = l.stop()
	}
	return errors.Join(err, c.env.Tasks.Stop(ctx))
}

func (c *carrier) running() *life {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.life
}

// Dial connects to addr.
func (c *carrier) Dial(ctx context.Context, addr name.Address) (transport.Conn, error) {
	l := c.running()
	if l == nil {
		return nil, fmt.Errorf("dial %s: %w", addr, transport.ErrClosed)
	}
	conn, err := l.dial(ctx, addr)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", addr, err)
	}
	return conn, nil
}

// Accept waits for a connection.
func (c *carrier) Accept(ctx context.Context) (transport.Conn, error) {
	l := c.running()
	if l == nil {
		return nil, transport.ErrClosed
	}
	select {
	case conn := <-l.accepts:
		return conn, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-l.ctx.Done():
		return nil, transport.ErrClosed
	}
}

// Addresses is where peers can dial this node.
func (c *carrier) Addresses() []name.Address {
	l := c.running()
	if l == nil {
		return nil
	}
	return advertised(c.settings.Advertise, l.bound, c.env.Node, c.here)
}

// Liveness is as the settings say.
func (c *carrier) Liveness() transport.Liveness {
	return transport.Liveness{Heartbeat: c.settings.Heartbeat, Idle: c.settings.IdleTimeout}
}

// Health tells of a certificate near its end, of too many handshakes, and of a socket
// that broke.
func (c *carrier) Health() plugin.Health {
	if l := c.running(); l != nil {
		if sick := l.health(); sick.State != plugin.Healthy {
			return sick
		}
	}
	return c.certs.health(time.Now())
}

// RotateCertificate makes a new certificate and key and keeps the old ones. An
// operator's own are not touched: plugin.ErrUnsupported.
func (c *carrier) RotateCertificate(context.Context) (backup string, err error) {
	return c.certs.rotate(time.Now())
}
