// Package transportmemory is the transport "memory": nodes in one process that talk
// through it, without socket, port or encryption. It is for tests, for embedding
// several nodes in one program, and for trying a cluster out under a virtual clock: it
// waits on channels and conditions only, so it runs inside testing/synctest.
//
// It is not a simulated network with latency and loss; it is a perfect one that can be
// cut (Network.Cut) and refused (Network.Refuse), so that silence and unreachable
// peers can be tested. It keeps what the contract says of streams: windows, order,
// half close, reset, deadlines.
//
// A Network is a value. Nodes made from one Factory value share its network, and
// nothing is shared by nodes made from two:
//
//	network := transportmemory.NewNetwork()
//	factory := network.Factory() // into the catalogs of a and b
//	network.Cut(a, b)            // each hears nothing of the other any more
package transportmemory

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// Factory makes memory transports that share a network of their own.
func Factory() transport.Factory { return NewNetwork().Factory() }

// Factory makes memory transports on this network.
func (n *Network) Factory() transport.Factory {
	build := func(env transport.Env, s *Settings) (transport.Plugin, error) {
		return &node{env: env, settings: *s, network: n}, nil
	}
	return plugin.Define("memory", "nodes of one process, for tests and embedding", defaults, build)
}

var _ transport.Plugin = (*node)(nil)

// node is the transport of one node.
type node struct {
	env      transport.Env
	settings Settings
	network  *Network

	mu   sync.Mutex
	life *life // nil unless started
}

// life is what a node has between Start and Stop.
type life struct {
	node    *node
	address name.Address
	accepts chan *end
	ctx     context.Context // ends with Stop
	end     context.CancelFunc
}

// maxUnaccepted bounds the connections that wait for Accept.
const maxUnaccepted = 128

// Start takes the node's address in the network.
func (n *node) Start(context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.life != nil {
		return errors.New("transport memory: already started")
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &life{node: n, accepts: make(chan *end, maxUnaccepted), ctx: ctx, end: cancel}
	if err := n.network.attach(l, n.settings.Listen); err != nil {
		cancel()
		return err
	}
	n.life = l
	return nil
}

// Stop closes all connections and gives the address back.
func (n *node) Stop(context.Context) error {
	n.mu.Lock()
	l := n.life
	n.life = nil
	n.mu.Unlock()
	if l == nil {
		return nil
	}
	for _, w := range n.network.detach(l) {
		for _, e := range w.ends {
			if e.life == l {
				_ = e.Close(transport.CloseStopping, "") // never fails
			}
		}
	}
	l.end()
	return nil
}

func (n *node) running() *life {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.life
}

// Dial connects to the node that listens at addr.
func (n *node) Dial(ctx context.Context, addr name.Address) (transport.Conn, error) {
	l := n.running()
	if l == nil {
		return nil, fmt.Errorf("dial %s: %w", addr, transport.ErrClosed)
	}
	e, err := n.network.connect(ctx, l, addr)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", addr, err)
	}
	return e, nil
}

// Accept waits for a connection that a peer dialed.
func (n *node) Accept(ctx context.Context) (transport.Conn, error) {
	l := n.running()
	if l == nil {
		return nil, transport.ErrClosed
	}
	select {
	case e := <-l.accepts:
		return e, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-l.ctx.Done():
		return nil, transport.ErrClosed
	}
}

// Addresses is the node's one address.
func (n *node) Addresses() []name.Address {
	if l := n.running(); l != nil {
		return []name.Address{l.address}
	}
	return nil
}

// Liveness is as the settings say.
func (n *node) Liveness() transport.Liveness {
	return transport.Liveness{Heartbeat: n.settings.Heartbeat, Idle: n.settings.IdleTimeout}
}
