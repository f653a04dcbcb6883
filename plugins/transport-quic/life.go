package transportquic

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"github.com/quic-go/quic-go"

	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// maxUnaccepted bounds the connections that wait for Accept.
const maxUnaccepted = 128

// life is what a carrier has between Start and Stop.
type life struct {
	tasks     *plugin.Tasks
	socket    net.PacketConn
	quic      *quic.Transport
	listener  *quic.Listener
	tls       *tls.Config
	config    *quic.Config
	bound     netip.AddrPort
	admission *admission
	sides     sides
	fresh     func(context.Context) (net.PacketConn, error)
	path      Path
	here      *machine
	source    func(netip.AddrPort) (netip.Addr, error) // nil: not that of the machine
	accepts   chan *conn
	ctx       context.Context // ends with Stop, or with the reason why the socket broke
	cancel    context.CancelCauseFunc
	drained   chan struct{} // closed when acceptLoop has returned

	mu      sync.Mutex
	conns   map[*conn]struct{}
	stopped bool
}

func newLife(c *carrier, socket net.PacketConn, keys *socketKeys) (*life, error) {
	l := &life{
		tasks: c.env.Tasks, socket: socket, bound: addrPort(socket.LocalAddr()),
		tls: tlsConfig(c.certs), config: quicConfig(&c.settings),
		admission: newAdmission(), accepts: make(chan *conn, maxUnaccepted), conns: map[*conn]struct{}{},
		drained: make(chan struct{}), fresh: c.fresh, path: c.path, here: c.here, source: c.source,
	}
	l.quic = &quic.Transport{
		Conn:                socket,
		StatelessResetKey:   &keys.reset,
		TokenGeneratorKey:   &keys.token,
		VerifySourceAddress: l.admission.suspicious,
		ConnContext:         l.admission.admit,
	}
	var err error
	if l.listener, err = l.quic.Listen(l.tls, l.config); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", socket.LocalAddr(), err)
	}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	return l, nil
}

// run starts what runs until stop, or reports false if the tasks are stopping.
func (l *life) run(watch func(context.Context)) bool {
	if !l.tasks.Go("accept", l.acceptLoop) {
		close(l.drained)
		return false
	}
	return l.tasks.Go("certificate", watch)
}

// acceptLoop is quick, because quic-go queues few.
func (l *life) acceptLoop(ctx context.Context) {
	defer close(l.drained)
	for {
		qc, err := l.listener.Accept(ctx)
		if err != nil {
			l.cancel(err) // Stop has been here before, unless the socket broke
			return
		}
		l.admission.settled(qc)
		l.offer(qc)
	}
}

func (l *life) offer(qc *quic.Conn) {
	c, err := l.adopt(qc, target{}, false)
	if err != nil {
		return // it is closed, and the peer knows why
	}
	select {
	case l.accepts <- c:
	default:
		_ = c.Close(transport.CloseBusy, "too many connections wait to be accepted") // returns nil
	}
}

// adopt wraps a connection and keeps it in sight until it ends. The target is zero for one
// that was accepted.
func (l *life) adopt(qc *quic.Conn, to target, tunnelled bool) (*conn, error) {
	c, err := newConn(qc, to, tunnelled)
	if err != nil {
		return nil, err
	}
	c.life = l
	if !l.track(c) {
		return nil, errors.Join(transport.ErrClosed, c.Close(transport.CloseStopping, ""))
	}
	context.AfterFunc(c.ctx, func() { l.untrack(c); l.endSides(c) })
	c.Astray() // to know the way as it is
	return c, nil
}

func (l *life) track(c *conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.stopped {
		l.conns[c] = struct{}{}
	}
	return !l.stopped
}

func (l *life) untrack(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}

// stop tells the peers first: closing a quic.Transport tells nobody.
func (l *life) stop() error {
	l.cancel(transport.ErrClosed)
	for _, c := range l.last() {
		_ = c.Close(transport.CloseStopping, "") // returns nil
	}
	err := l.listener.Close()
	<-l.drained // what was in the queue has been told too
	err = errors.Join(err, l.sides.close(), l.quic.Close())
	if closed := l.socket.Close(); !errors.Is(closed, net.ErrClosed) { // it may have broken before
		err = errors.Join(err, closed)
	}
	return err
}

// last returns the connections there are, after which there will be no more.
func (l *life) last() []*conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
	conns := make([]*conn, 0, len(l.conns))
	for c := range l.conns {
		conns = append(conns, c)
	}
	return conns
}

func (l *life) health() plugin.Health {
	if l.ctx.Err() != nil {
		return plugin.Health{State: plugin.Failed, Detail: fmt.Sprintf("socket %s: %v", l.bound, context.Cause(l.ctx))}
	}
	if n := l.admission.halfOpen(); n >= maxHalfOpen {
		return plugin.Health{State: plugin.Degraded, Detail: fmt.Sprintf("%d handshakes under way: new peers are refused for now", n)}
	}
	return plugin.Health{State: plugin.Healthy}
}
