package process

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

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
	Release()               // all of it has been read, or never will be
}

// Processes is the block. All methods are safe for concurrent use; it is a
// plugin.Part. Processes may be spawned before Start.
type Processes struct {
	cfg     Config
	nextID  atomic.Uint64
	nextGen atomic.Uint64 // generations of message streams
	calls   calls
	dead    DeadLetters
	sealed  atomic.Bool // nothing more is sent

	draining atomic.Bool  // guests are refused
	pending  atomic.Int64 // messages in mailboxes or being handled

	mu      sync.Mutex
	stopped bool
	procs   map[uint64]*Process
	names   map[name.Service][]*Process
	outlets map[outletKey]*outlet
	guests  map[name.Node]*guest
}

// New makes the block; it does nothing before Start.
func New(cfg Config) *Processes {
	p := &Processes{
		cfg:     cfg,
		procs:   map[uint64]*Process{},
		names:   map[name.Service][]*Process{},
		outlets: map[outletKey]*outlet{},
		guests:  map[name.Node]*guest{},
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
	p.calls.open()
	p.sealed.Store(false)
	p.draining.Store(false)
	return nil
}

// stopGrace is for how long Stop lets answers go out, and what is on its way be written.
const stopGrace = time.Second

// Stop ends all processes and fails all calls with ErrStopped, those of this node and
// those it serves.
func (p *Processes) Stop(ctx context.Context) error {
	all := p.stopAll()
	for _, proc := range all {
		proc.Stop()
	}
	p.calls.failAll(ErrStopped)
	grace, cancel := context.WithTimeout(ctx, stopGrace)
	defer cancel()
	for _, proc := range all {
		select {
		case <-proc.done:
		case <-grace.Done():
		}
	}
	p.flush(grace)
	p.sealed.Store(true)
	err := p.cfg.Tasks.Stop(ctx)
	p.breakOff()
	return err
}

func (p *Processes) stopAll() []*Process {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	all := make([]*Process, 0, len(p.procs))
	for _, proc := range p.procs {
		all = append(all, proc)
	}
	return all
}

func (p *Processes) isStopped() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stopped
}

// PeerDown fails the calls that wait for a node that is gone, and ends those that it
// waits for. It does not block.
func (p *Processes) PeerDown(node name.Node, reason string) {
	p.calls.failNode(node, reason)
	p.dismiss(node)
}
