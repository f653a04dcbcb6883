package core

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/barrelp2p/barrel/core/block/bootstrap"
	"github.com/barrelp2p/barrel/core/block/broadcast"
	"github.com/barrelp2p/barrel/core/block/link"
	"github.com/barrelp2p/barrel/core/block/process"
	"github.com/barrelp2p/barrel/core/block/resolve"
	"github.com/barrelp2p/barrel/core/block/service"
	"github.com/barrelp2p/barrel/core/block/stream"
	"github.com/barrelp2p/barrel/core/config"
	"github.com/barrelp2p/barrel/core/kernel"
	"github.com/barrelp2p/barrel/core/observe"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// life is one life of a node, from Start to Stop: all its parts, joined together.
type life struct {
	node   *Node
	self   *self
	name   name.Node
	log    *slog.Logger
	events *kernel.Bus[Event]
	kernel *kernel.Kernel
	units  []kernel.Unit
	tasks  *plugin.Tasks // of the life itself, beside its parts

	parts struct { // the names of the parts that fill the slots
		transport, trust, membership, registry string
		discovery                              []string
	}
	transport  transport.Plugin
	backends   []resolve.Backend
	trust      *trustSlot
	membership membership.Plugin
	registry   registry.Plugin

	resolver  *resolve.Resolver
	links     *link.Links
	broadcast *broadcast.Broadcast
	holds     *holds
	processes *process.Processes
	services  *service.Services
	streams   *stream.Streams
	joints    joints
	globals   globals
	letters   kernel.Bus[process.DeadLetter]
	dead      refusals // what is told of them as events
	bootstrap *bootstrap.Bootstrap

	memberKeys  keyTable
	distances   distances
	linkedLives linkedLives

	meters  *observe.Meters
	started time.Time
	ready   atomic.Bool
	left    atomic.Bool // told to leave, and not to join since

	isolated, partitioned atomic.Bool // as membership told last
	gate                  gate

	reloaded atomic.Pointer[config.Config] // as last read again; nil: never
	own      ownConfigs                    // of parts
}

func newLife(n *Node, me *self) *life {
	return &life{
		node: n, self: me, name: n.name, log: n.log, events: n.events.Load(), started: time.Now().UTC(),
		kernel: kernel.New(kernel.Options{Log: n.log}), dead: refusals{limit: newLimit()},
		tasks: plugin.NewTasks(func(p plugin.Panic) { n.fail(p) }),
	}
}

// partEvents is how many changes of parts, of which there are a dozen or two, may wait to
// be passed on; each node has room for them all its life.
const partEvents = 64

// start starts the parts. What goes wrong with them later fails the node.
func (l *life) start(ctx context.Context) (err error) {
	if l.meters, err = observe.Register(l.node.opts.meters, source{l}); err != nil {
		return err
	}
	sub := l.kernel.Events().Subscribe(partEvents)
	l.tasks.Go("part events", func(ctx context.Context) { l.forwardParts(ctx, sub) })
	l.tasks.Go("part failures", l.forwardFailure)
	if err := l.kernel.Start(ctx); err != nil {
		return errors.Join(err, l.close(ctx))
	}
	if err := l.startGlobals(); err != nil {
		return errors.Join(err, l.kernel.Stop(ctx), l.close(ctx))
	}
	l.tasks.Go("roam", l.roam)
	l.ready.Store(true)
	l.warnAtStart()
	return nil
}

// close ends what start began besides the parts.
func (l *life) close(ctx context.Context) error {
	l.letters.Close()
	return errors.Join(l.tasks.Close(ctx), l.meters.Close())
}

// forwardFailure tells the node's owner when it cannot go on.
func (l *life) forwardFailure(ctx context.Context) {
	select {
	case err := <-l.kernel.Failed():
		l.node.fail(err)
	case <-ctx.Done():
	}
}

// onFrame passes a frame of a member to the membership.
func (l *life) onFrame(p link.Peer, data []byte) {
	if isMember(p) {
		l.membership.Input(membership.Input{Kind: membership.Frame, Peer: asPeer(p), Data: data})
	}
}

// onBroadcasts passes a stream of broadcasts to the block.
func (l *life) onBroadcasts(ctx context.Context, p link.Peer, s *link.Stream) {
	if !isMember(p) {
		s.Reset(transport.CloseProtocol)
		return
	}
	l.broadcast.Receive(ctx, p.Node, s)
}

// onMessages passes a message stream to the processes.
func (l *life) onMessages(ctx context.Context, p link.Peer, s *link.Stream) {
	l.processes.Receive(ctx, p.Node, p.Incarnation, s)
}
