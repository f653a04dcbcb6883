package process

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// Config is what the block works with; all fields are required unless said otherwise.
type Config struct {
	Node        name.Node
	Incarnation uint64
	Types       *Types // nil: the plain ones
	MaxPayload  int    // bytes, at most MaxPayload; 0: DefaultMaxPayload
	Network     Network
	DeadLetter  func(DeadLetter) // hears of each and must not block; nil: nobody
	Tasks       *plugin.Tasks
	Log         *slog.Logger
}

// Network reaches other nodes.
type Network interface {
	// Connect makes sure that there is a link, dialing on demand; at once if there is.
	Connect(ctx context.Context, node name.Node) error
	// OpenMessages opens a message stream, dialing on demand.
	OpenMessages(ctx context.Context, node name.Node) (Stream, error)
	// Hold keeps the link to a node from being closed as idle until release is called.
	Hold(node name.Node) (release func())
}

// Stream is a stream for messages, in one direction.
type Stream interface {
	transport.Stream
	Moved() <-chan struct{} // finish and open another
	Ended() <-chan struct{} // the connection has ended
	Touch()                 // the link is in use
	Release()               // all of it has been read, or never will be
	// TryWrite takes all of p or nothing, and never blocks.
	TryWrite(p []byte) (bool, error)
}

// Processes is the block. All methods are safe for concurrent use; it is a
// plugin.Part. Processes may be spawned before Start.
type Processes struct {
	cfg     Config
	types   *Types
	nextID  atomic.Uint64
	nextGen atomic.Uint64 // generations of message streams
	remotes remotes
	ties    ties
	offers  offers
	dead    deadLetters
	answers sync.Pool   // of chan result
	sheets  sync.Pool   // of *callSheet
	sealed  atomic.Bool // nothing more is sent

	draining atomic.Bool  // guests are refused
	pending  atomic.Int64 // messages in mailboxes of handlers, or being handled

	mu      sync.RWMutex
	stopped bool
	off     atomic.Bool   // the same, for those who ask often
	halted  chan struct{} // closed when stopped
	procs   map[uint64]*Process
	names   map[name.Service][]*Process
	bound   atomic.Uint64 // how often names have changed
	guests  map[name.Node]*guest
}

// New makes the block; it does nothing before Start.
func New(cfg Config) *Processes {
	if cfg.Types == nil {
		cfg.Types = NewTypes()
	}
	if cfg.MaxPayload <= 0 {
		cfg.MaxPayload = DefaultMaxPayload
	}
	p := &Processes{
		cfg:    cfg,
		types:  cfg.Types,
		halted: make(chan struct{}),
		procs:  map[uint64]*Process{},
		names:  map[name.Service][]*Process{},
		guests: map[name.Node]*guest{},
	}
	p.ties.init()
	p.offers.all = map[string]offer{}
	p.nextID.Store(nodeID)
	return p
}

// nodeID is the id of the node itself, the sender of what no process sends.
const nodeID = 1

// Self is the reference that stands for the node as a sender.
func (p *Processes) Self() name.Ref {
	return name.Ref{Node: p.cfg.Node, Incarnation: p.cfg.Incarnation, ID: nodeID}
}

// Types is what the node knows of types.
func (p *Processes) Types() *Types { return p.types }

// Start lets messages flow.
func (p *Processes) Start(context.Context) error {
	p.reopen()
	return p.spawnControl()
}

func (p *Processes) reopen() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		p.stopped, p.halted = false, make(chan struct{})
		p.off.Store(false)
	}
	p.sealed.Store(false)
	p.draining.Store(false)
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
	p.failAllCalls()
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
	p.failAllCalls()
	p.breakOff()
	p.ties.clear()
	return err
}

func (p *Processes) failAllCalls() {
	for _, r := range p.remotes.list() {
		r.calls.fail(ErrStopped, everyCall)
	}
}

func (p *Processes) stopAll() []*Process {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.stopped {
		p.stopped = true
		p.off.Store(true)
		close(p.halted)
	}
	all := make([]*Process, 0, len(p.procs))
	for _, proc := range p.procs {
		all = append(all, proc)
	}
	return all
}

func (p *Processes) isStopped() bool { return p.off.Load() }

// halt is closed when the block stops.
func (p *Processes) halt() <-chan struct{} {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.halted
}

// PeerUp tells of a link to a node; it comes before everything that arrives over it. It
// does not block. Hidden nodes send and call, and are not told to those who watch nodes.
func (p *Processes) PeerUp(node name.Node, hidden bool) { p.ties.nodeUp(p, node, hidden) }

// PeerDown fails the calls that wait for a node that is gone, ends those that it waits
// for, and tells those who watch it or its processes. It does not block.
func (p *Processes) PeerDown(node name.Node, reason string) {
	if r := p.remotes.get(node); r != nil {
		r.cutOff(fmt.Errorf("message to %s: link ended: %s: %w", node, reason, ErrNoConnection))
	}
	p.failCalls(node, reason)
	p.dismiss(node)
	p.ties.nodeDown(p, node)
	p.prune()
}
