package process

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// Config is what the block works with; all fields are required.
type Config struct {
	Node        name.Node
	Incarnation uint64
	Network     Network
	Tasks       *plugin.Tasks
	Log         *slog.Logger
}

// Network reaches other nodes.
type Network interface {
	// Connect makes sure that there is a link, dialing on demand; at once if there is.
	Connect(ctx context.Context, node name.Node) error
	// OpenMessages opens a message stream, dialing on demand.
	OpenMessages(ctx context.Context, node name.Node) (Stream, error)
}

// Stream is a stream for messages, in one direction.
type Stream interface {
	transport.Stream
	Moved() <-chan struct{} // finish and open another
	Ended() <-chan struct{} // the connection has ended
	Touch()                 // the link is in use
	Release()               // the stream is no longer open
}

// Processes is the block. All methods are safe for concurrent use; it is a
// plugin.Part. Processes may be spawned before Start.
type Processes struct {
	cfg     Config
	nextID  atomic.Uint64
	nextGen atomic.Uint64 // generations of message streams
	calls   calls
	dead    DeadLetters

	mu      sync.Mutex
	stopped bool
	procs   map[uint64]*Process
	names   map[name.Service][]*Process
	outlets map[outletKey]*outlet
	inlets  map[inletKey]*inlet
	serving map[servingKey]context.CancelFunc
}

// New makes the block; it does nothing before Start.
func New(cfg Config) *Processes {
	p := &Processes{
		cfg:     cfg,
		procs:   map[uint64]*Process{},
		names:   map[name.Service][]*Process{},
		outlets: map[outletKey]*outlet{},
		inlets:  map[inletKey]*inlet{},
		serving: map[servingKey]context.CancelFunc{},
	}
	p.calls.waiting = map[uint64]*call{}
	p.nextID.Store(nodeID)
	return p
}

// nodeID is the id of the node itself, the sender of what no process sends.
const nodeID = 1

// Self is the reference that stands for the node as a sender.
func (p *Processes) Self() name.Ref {
	return name.Ref{Node: p.cfg.Node, Incarnation: p.cfg.Incarnation, ID: nodeID}
}

// Start lets messages flow.
func (p *Processes) Start(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = false
	return nil
}

// Stop ends all processes: calls that wait are answered with ErrStopped.
func (p *Processes) Stop(ctx context.Context) error {
	p.mu.Lock()
	p.stopped = true
	all := make([]*Process, 0, len(p.procs))
	for _, proc := range p.procs {
		all = append(all, proc)
	}
	p.mu.Unlock()
	for _, proc := range all {
		proc.Stop()
	}
	p.calls.failAll(ErrStopped)
	return p.cfg.Tasks.Stop(ctx)
}

// PeerDown fails the calls that wait for a node that is gone.
func (p *Processes) PeerDown(node name.Node, reason string) { p.calls.failNode(node, reason) }

// DeadLetters counts messages that could not be delivered and had nobody to tell.
func (p *Processes) DeadLetters() map[string]uint64 { return p.dead.counts() }

// DeadLetters counts undeliverable messages by reason.
type DeadLetters struct {
	noProcess, linkLost, malformed, stopped atomic.Uint64
}

func (d *DeadLetters) counts() map[string]uint64 {
	return map[string]uint64{
		"no process": d.noProcess.Load(), "link lost": d.linkLost.Load(),
		"malformed": d.malformed.Load(), "stopped": d.stopped.Load(),
	}
}
