package core

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"

	"github.com/barrelp2p/barrel/core/block/process"
	"github.com/barrelp2p/barrel/core/catalog"
	"github.com/barrelp2p/barrel/core/config"
	"github.com/barrelp2p/barrel/core/kernel"
	"github.com/barrelp2p/barrel/core/observe"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// Node is a node of a cluster. All methods are safe for concurrent use. A node that
// has stopped can be started again; it is then in its next life.
type Node struct {
	cfg     *config.Config
	catalog catalog.Catalog
	opts    options
	name    name.Node
	dataDir string // absolute
	log     *slog.Logger
	types   *process.Types // of all its lives

	events atomic.Pointer[kernel.Bus[Event]] // a new one for each life
	failed chan error
	live   atomic.Pointer[life]

	turn     chan struct{} // held by Start and Stop; room for one
	starting atomic.Pointer[context.CancelFunc]
	last     *life // what Stop has to stop
}

// Load reads a configuration for a catalog; see config.Load. The error is a
// *config.Problems with all that is wrong.
func Load(src config.Sources, cat catalog.Catalog) (*config.Config, error) {
	return config.Load(src, Slots(cat))
}

// New makes a node from a configuration and a catalog. It assembles everything once, so
// that whatever can be wrong is found, and binds and writes nothing; of files it reads
// only the cookie's. That is also all that a check of a configuration does.
func New(cfg *config.Config, cat catalog.Catalog, opts ...Option) (*Node, error) {
	n := &Node{cfg: cfg, catalog: cat, failed: make(chan error, 1), turn: make(chan struct{}, 1), opts: options{meters: observe.Nowhere()}, types: process.NewTypes()}
	n.events.Store(&kernel.Bus[Event]{})
	for _, opt := range opts {
		opt(&n.opts)
	}
	n.log = n.opts.log
	if n.log == nil {
		n.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if n.name, err = nodeName(cfg.Node.Name); err != nil {
		return nil, err
	}
	if n.dataDir, err = filepath.Abs(cfg.Node.DataDir); err != nil {
		return nil, fmt.Errorf("data directory %s: %w", cfg.Node.DataDir, err)
	}
	if err := cat.Validate(); err != nil {
		return nil, err
	}
	if _, err := readCookie(cfg.Auth); err != nil {
		return nil, err
	}
	if path := cfg.Socket(); len(path) > maxSocketPath && !n.opts.noSocket {
		return nil, fmt.Errorf("admin.socket: %s has %d bytes, at most %d: set a shorter admin.socket or node.data_dir", path, len(path), maxSocketPath)
	}
	if _, err := n.assemble(&self{}); err != nil {
		return nil, err
	}
	return n, nil
}

// maxSocketPath is what a unix socket address has room for, in bytes.
const maxSocketPath = 107

// Name is the name of the node.
func (n *Node) Name() name.Node { return n.name }

// Failed carries the error for which a running node cannot go on; Stop it then. It is
// kept for who asks later, until the node is started again.
func (n *Node) Failed() <-chan error { return n.failed }

// forgetFailure: one that nobody read was that of an earlier life.
func (n *Node) forgetFailure() {
	select {
	case old := <-n.failed:
		n.log.Debug("failure of an earlier life forgotten", "error", old)
	default:
	}
}

// fail tells the owner; the first reason decides.
func (n *Node) fail(err error) {
	select {
	case n.failed <- fmt.Errorf("node %s: %w", n.name, err):
	default:
	}
}

// Start opens the data directory, starts every part, publishes the node and begins to
// join its cluster. It returns when peers are accepted. If it fails, nothing is left
// running and the error names the part.
func (n *Node) Start(ctx context.Context) error {
	if err := n.lock(ctx); err != nil {
		return err
	}
	defer n.unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	n.starting.Store(&cancel)
	defer n.starting.Store(nil)
	if n.last != nil {
		return fmt.Errorf("node %s: it has been started already", n.name)
	}
	me, err := n.openSelf()
	if err != nil {
		return err
	}
	n.forgetFailure()
	l, err := n.assemble(me)
	if err == nil {
		err = l.start(ctx)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("node %s: %w", n.name, err), me.close())
	}
	n.last = l
	n.live.Store(l)
	return nil
}

// Stop leaves the cluster, stops every part in the reverse order of the start and
// releases the data directory. It is safe without Start and safe twice, and waits
// until nothing of the node runs. Leaving takes at most node.leave_timeout. A Start that is
// under way fails.
func (n *Node) Stop(ctx context.Context) error {
	if end := n.starting.Load(); end != nil {
		(*end)()
	}
	if err := n.lock(ctx); err != nil {
		return err
	}
	defer n.unlock()
	l := n.last
	if l == nil {
		return nil
	}
	l.farewell(ctx)
	n.live.Store(nil)
	err := errors.Join(l.kernel.Stop(ctx), l.close(ctx), l.self.close())
	n.last = nil
	n.events.Swap(&kernel.Bus[Event]{}).Close()
	return err
}

// lock waits for its turn to start or stop, until unlock.
func (n *Node) lock(ctx context.Context) error {
	select {
	case n.turn <- struct{}{}:
		return nil
	default:
	}
	select {
	case n.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("node %s: an earlier start or stop is still under way: %w", n.name, context.Cause(ctx))
	}
}

func (n *Node) unlock() { <-n.turn }
