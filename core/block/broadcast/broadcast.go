package broadcast

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/core/machine/plumtree"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// Topic says whom a broadcast is for.
type Topic uint64

// The topics.
const (
	Membership Topic = 1
	Registry   Topic = 2
)

// MaxData is the longest message, in bytes.
const MaxData = membership.MaxBroadcast

// Config is what the block works with. All fields are required unless said otherwise.
type Config struct {
	Origin      uint64 // a number of this node that no other has; of its name and key, say
	Incarnation uint64
	Network     Network
	Tree        func(neighbours []name.Node) // hears of each change of Tree; may be nil
	Tasks       *plugin.Tasks
	Log         *slog.Logger
}

// Handler takes a message that another node broadcast; from passed it on. Handlers are
// called one at a time, must not block and must not call back. They may keep data.
type Handler func(from name.Node, data []byte)

// Broadcast is the block. All methods are safe for concurrent use; it is a plugin.Part.
type Broadcast struct {
	cfg      Config
	epoch    time.Time
	handlers map[Topic]Handler
	rearm    chan struct{} // holds a token when the timer has to be set anew

	mu      sync.Mutex
	running bool
	machine *plumtree.Machine
	out     overlay.Effects[plumtree.Message]
	near    map[name.Node]*neighbour
	byPeer  map[overlay.Peer]*neighbour
	last    overlay.Peer  // the last number given out
	changed chan struct{} // closed, and replaced, when near changes
	wakeAt  overlay.Time
	timer   overlay.Timer
	told    []name.Node // the tree as Config.Tree heard it last
	turns   uint64      // the machine's count of changes then
}

// New makes the block; it does nothing before Start.
func New(cfg Config) *Broadcast {
	return &Broadcast{
		cfg: cfg, epoch: time.Now(), handlers: map[Topic]Handler{}, rearm: make(chan struct{}, 1),
		machine: plumtree.New(machineConfig(), cfg.Origin, cfg.Incarnation),
		near:    map[name.Node]*neighbour{}, byPeer: map[overlay.Peer]*neighbour{},
		changed: make(chan struct{}), wakeAt: overlay.Never,
	}
}

func machineConfig() plumtree.Config {
	cfg := plumtree.Defaults()
	cfg.MaxPayload = MaxData
	return cfg
}

// Handle sets who takes the messages of a topic. Call it before Start.
func (b *Broadcast) Handle(topic Topic, handle Handler) { b.handlers[topic] = handle }

// Start begins to carry messages.
func (b *Broadcast) Start(context.Context) error {
	b.mu.Lock()
	b.running = true
	b.mu.Unlock()
	if !b.cfg.Tasks.Go("timer", b.keepTime) {
		return fmt.Errorf("broadcast: start: what ran before has not ended: %w", plugin.ErrGone)
	}
	return nil
}

// Stop ends all streams and waits.
func (b *Broadcast) Stop(ctx context.Context) error {
	b.mu.Lock()
	b.running = false
	for node := range b.near {
		b.drop(node)
	}
	b.mu.Unlock()
	return b.cfg.Tasks.Stop(ctx)
}

// Send broadcasts data, which nobody may change afterwards. It never blocks. A node
// without neighbours keeps the message for the next one, for about 10 s.
func (b *Broadcast) Send(topic Topic, data []byte) error {
	if len(data) > MaxData {
		return fmt.Errorf("broadcast of %d bytes, at most %d: %w", len(data), MaxData, membership.ErrTooLarge)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.running {
		return fmt.Errorf("broadcast: %w", plugin.ErrGone)
	}
	b.step(overlay.Input[plumtree.Message]{Kind: overlay.InCommand, Cmd: overlay.Command{
		Op: overlay.OpBroadcast, Key: uint64(topic), Data: data,
	}})
	return nil
}

// Up says that a node is a neighbour now.
func (b *Broadcast) Up(node name.Node) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.running || b.near[node] != nil {
		return
	}
	b.last++
	n := newNeighbour(b, node, b.last)
	if !b.cfg.Tasks.Go("write to "+node.String(), n.write) {
		n.end()
		return
	}
	b.near[node], b.byPeer[n.peer] = n, n
	b.announce()
	b.step(overlay.Input[plumtree.Message]{Kind: overlay.InLinkUp, Peer: n.peer})
}

// Down says that a node is no neighbour any more.
func (b *Broadcast) Down(node name.Node) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop(node)
}

func (b *Broadcast) drop(node name.Node) {
	n := b.near[node]
	if n == nil {
		return
	}
	delete(b.near, node)
	delete(b.byPeer, n.peer)
	close(n.quit)
	time.AfterFunc(lastWords, n.end)
	for _, s := range n.inbound {
		s.Reset(transport.CloseNone)
	}
	b.announce()
	b.step(overlay.Input[plumtree.Message]{Kind: overlay.InLinkDown, Peer: n.peer})
}

// announce wakes those who wait for a neighbour to come or go.
func (b *Broadcast) announce() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// Tree lists the neighbours to which messages go at once, in no order that means
// anything.
func (b *Broadcast) Tree() []name.Node {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.eager()
}

func (b *Broadcast) eager() []name.Node {
	peers := b.machine.Eager()
	nodes := make([]name.Node, 0, len(peers))
	for _, p := range peers {
		if n := b.byPeer[p]; n != nil {
			nodes = append(nodes, n.node)
		}
	}
	return nodes
}

// Stats counts what happened and what there is.
func (b *Broadcast) Stats() plumtree.Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.machine.Stats()
}

// tellTree says so when the tree has changed at this node. Callers hold b.mu.
func (b *Broadcast) tellTree() {
	if b.cfg.Tree == nil || b.machine.Turns() == b.turns {
		return
	}
	b.turns = b.machine.Turns()
	if now := b.eager(); !slices.Equal(now, b.told) {
		b.told = now
		b.cfg.Tree(slices.Clone(now))
	}
}
