package link

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/interfaces/trust"

	"github.com/barrelp2p/barrel/core/machine/handshake"
)

// Bounds of the block.
const (
	maxLinks         = 4096         // peers with a link at one time
	maxPeers         = 4 * maxLinks // peers remembered, for their back-off for instance
	maxPending       = 128          // inbound handshakes under way
	maxPendingFromIP = 32           // the same from one address
	maxCandidates    = 8            // endpoints tried per dial
)

// Config is what the block works with. All fields are required unless said otherwise.
type Config struct {
	Node        name.Node
	Cluster     string
	Incarnation uint64
	Signer      func() Signer // the node's key pair of the moment

	Hidden           bool                 // this node sends and calls, and is no member
	Auth             bool                 // peers must prove their key
	Cookie           []byte               // second factor; nil for none
	CookieOnly       func(name.Node) bool // peers that the cookie alone lets in; nil for none
	HandshakeTimeout time.Duration
	ClockSkew        time.Duration
	IdleAfter        time.Duration // close a link nobody used for this long; 0: never
	Sweep            time.Duration // how often to look for such links

	Transport transport.Plugin
	Trust     Decider
	Resolver  Resolver
	Known     func(name.Node) []name.Address // what members say of themselves, tried before discovery is asked; nil for nothing
	Observer  Observer
	Tasks     *plugin.Tasks
	Log       *slog.Logger
}

// Signer is a key pair. One handshake uses one, whatever is rotated meanwhile.
type Signer interface {
	Public() trust.Key
	Sign(message []byte) [64]byte
}

// Decider is the trust slot, as far as links need it.
type Decider interface {
	Decide(ctx context.Context, claim trust.Claim) error
}

// Resolver finds endpoints of nodes.
type Resolver interface {
	Addresses(ctx context.Context, node name.Node) ([]name.Address, error)
	// Invalidate says that the answer for node did not lead to it.
	Invalidate(node name.Node)
}

// Observer hears of links. Calls for one peer are ordered: Up, then its frames, then
// Down; a connection that replaces another is neither. Up, Moved and Down are called with
// the block's lock held: they must not block and must not call back.
type Observer interface {
	Up(peer Peer)
	// Moved reports that a peer is seen at another address, its Remote, because its
	// connection has moved or another one is in use.
	Moved(peer Peer)
	Down(peer Peer, code transport.CloseCode, text string)
	// Refused reports a handshake that failed; peer holds what is known, perhaps
	// only Remote.
	Refused(peer Peer, dialed bool, err error)
}

// Peer is the node at the other end of a link, as far as Proof says: only after
// handshake.Signed is it proved that the peer holds Key and may be Node.
type Peer struct {
	Node        name.Node
	Key         trust.Key
	Incarnation uint64
	Endpoints   []name.Address // where it says it can be dialed
	Remote      name.Address   // where it is seen from here
	Proof       handshake.Proof
	Hidden      bool // says that it is no member
	Outside     bool // one of the two is hidden, so the link is none between members
}

// FrameHandler takes a control frame. It must not block; it may keep data.
type FrameHandler func(peer Peer, data []byte)

// StreamHandler owns a stream that a peer opened, from after its header on, until it
// returns. ctx ends when the block stops.
type StreamHandler func(ctx context.Context, peer Peer, stream *Stream)

type streamEntry struct {
	handle StreamHandler
	use    Use
}

// Links is the block. All methods are safe for concurrent use; it is a plugin.Part.
type Links struct {
	cfg     Config
	frames  [256]FrameHandler
	streams [256]streamEntry
	gate    gate

	mu      sync.Mutex
	running bool
	peers   map[name.Node]*peer
	linked  int // peers that are up
}

// New makes the block; it does nothing before Start.
func New(cfg Config) *Links {
	return &Links{cfg: cfg, peers: map[name.Node]*peer{}, gate: gate{hosts: map[string]int{}}}
}

// HandleFrames sets who takes the frames of a channel. Call it before Start.
func (l *Links) HandleFrames(channel Channel, handle FrameHandler) { l.frames[channel] = handle }

// HandleStreams sets who takes the streams of a kind that peers open, and whether such
// a stream keeps its link in use. Call it before Start.
func (l *Links) HandleStreams(kind StreamKind, use Use, handle StreamHandler) {
	l.streams[kind] = streamEntry{handle: handle, use: use}
}

// Start begins to accept connections. The transport must have been started.
func (l *Links) Start(context.Context) error {
	l.mu.Lock()
	l.running = true
	l.mu.Unlock()
	started := l.cfg.Tasks.Go("accept", l.acceptLoop) && l.cfg.Tasks.Go("watch", l.watchLoop)
	if started && l.cfg.Sweep > 0 {
		started = l.cfg.Tasks.Go("sweep", l.sweepLoop)
	}
	if !started {
		return fmt.Errorf("links: start: what ran before has not ended: %w", ErrStopped)
	}
	return nil
}

// Stop closes all links with the code for a node that stops, and waits.
func (l *Links) Stop(ctx context.Context) error {
	l.mu.Lock()
	l.running = false
	conns := l.allConns()
	l.mu.Unlock()
	for _, c := range conns {
		c.endApart(transport.CloseStopping, "node stops")
	}
	return l.cfg.Tasks.Stop(ctx)
}

// CloseAll says good-bye on every link, so that peers know it is no failure, and
// returns when all are closed or ctx ends.
func (l *Links) CloseAll(ctx context.Context, code transport.CloseCode, reason string) {
	for _, c := range l.partAll(code, reason) {
		select {
		case <-c.gone:
		case <-ctx.Done():
			return
		}
	}
}

func (l *Links) partAll(code transport.CloseCode, reason string) (conns []*conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.peers {
		conns = append(conns, p.part(code, reason)...)
	}
	return conns
}

func (l *Links) allConns() []*conn {
	var all []*conn
	for _, p := range l.peers {
		all = append(all, p.conns...)
	}
	return all
}
