package wire

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/proto/transportv1"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

const (
	tokenSize  = 16
	maxOffered = 256              // connections that wait to be picked up
	pickUp     = 10 * time.Second // for the host to do so
	tokenTime  = 5 * time.Second  // for whoever connects to say for which
)

// Bridge is where the host picks the connections of a transport up, in the process of
// the plugin: a socket in the directory that only the two share. Safe for concurrent
// use.
type Bridge struct {
	dir string

	mu       sync.Mutex
	listener net.Listener // nil: nobody was offered yet
	offered  map[[tokenSize]byte]*offer
	carried  map[*carried]bool
	closed   bool
	running  sync.WaitGroup
}

type offer struct {
	conn  transport.Conn
	timer *time.Timer
}

// NewBridge makes one whose socket will be in a directory.
func NewBridge(dir string) *Bridge {
	return &Bridge{dir: dir, offered: map[[tokenSize]byte]*offer{}, carried: map[*carried]bool{}}
}

// Close closes all connections and the socket, and waits until nothing runs.
func (b *Bridge) Close() {
	b.mu.Lock()
	b.closed = true
	if b.listener != nil {
		_ = b.listener.Close()
	}
	for token, o := range b.offered {
		b.drop(token, o)
	}
	for c := range b.carried {
		_ = c.framer.socket.Close()
	}
	b.mu.Unlock()
	b.running.Wait()
}

// offer says where a connection can be picked up.
func (b *Bridge) offer(conn transport.Conn) (*transportv1.Connection, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	err := b.listen()
	if err == nil && len(b.offered) >= maxOffered {
		err = fmt.Errorf("%d connections wait for the host to pick them up", maxOffered)
	}
	if err != nil {
		_ = conn.Close(transport.CloseBusy, "")
		return nil, err
	}
	var token [tokenSize]byte
	_, _ = rand.Read(token[:]) // it does not fail
	o := &offer{conn: conn}
	o.timer = time.AfterFunc(pickUp, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.drop(token, o)
	})
	b.offered[token] = o
	_, moves := conn.(transport.Migrator)
	info := conn.Info()
	return &transportv1.Connection{
		Socket: filepath.Base(b.listener.Addr().String()), Token: token[:], Dialed: info.Dialed,
		Binding: info.Binding[:], Migrates: moves && info.Dialed, Info: infoToWire(info),
	}, nil
}

// drop closes a connection that nobody has picked up. Called with the lock held.
func (b *Bridge) drop(token [tokenSize]byte, o *offer) {
	if b.offered[token] == o {
		delete(b.offered, token)
		o.timer.Stop()
		_ = o.conn.Close(transport.CloseBusy, "nobody took the connection")
	}
}

// listen makes the socket, once. Called with the lock held.
func (b *Bridge) listen() error {
	if b.closed {
		return transport.ErrClosed
	}
	if b.listener != nil {
		return nil
	}
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), "unix", filepath.Join(b.dir, "bytes"+rand.Text()[:8]))
	if err != nil {
		return fmt.Errorf("socket for bytes: %w", err)
	}
	b.listener = listener
	b.running.Go(b.serve)
	return nil
}

func (b *Bridge) serve() {
	for {
		socket, err := b.listener.Accept()
		if err != nil {
			return
		}
		b.running.Go(func() { b.carry(socket) })
	}
}

// carry joins a socket with the connection whose token comes first on it.
func (b *Bridge) carry(socket net.Conn) {
	var token [tokenSize]byte
	_ = socket.SetReadDeadline(time.Now().Add(tokenTime))
	if _, err := io.ReadFull(socket, token[:]); err != nil {
		_ = socket.Close()
		return
	}
	_ = socket.SetReadDeadline(time.Time{})
	b.mu.Lock()
	o := b.offered[token]
	delete(b.offered, token)
	if o == nil || b.closed {
		b.mu.Unlock()
		_ = socket.Close()
		return
	}
	o.timer.Stop()
	c := newCarried(o.conn, socket)
	b.carried[c] = true
	b.mu.Unlock()
	c.run()
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.carried, c)
}

// carried is the plugin half of one connection.
type carried struct {
	conn   transport.Conn
	framer *framer
	ctx    context.Context // ends when the host is done with it
	cancel context.CancelFunc

	mu      sync.Mutex
	streams map[uint32]*carriedStream
	opening map[uint32]context.CancelFunc
	next    uint32
	room    chan struct{} // requests under way
	running sync.WaitGroup
}

// maxRequests is how many requests of the host may be under way; one that has more, which
// it does not count, loses the connection.
const maxRequests = 4096

// maxBacklog is how much may wait for a host that does not read before datagrams are lost.
const maxBacklog = 1 << 20

func newCarried(conn transport.Conn, socket net.Conn) *carried {
	c := &carried{
		conn: conn, framer: newFramer(socket), room: make(chan struct{}, maxRequests), next: 1,
		streams: map[uint32]*carriedStream{}, opening: map[uint32]context.CancelFunc{},
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// run carries bytes until the connection or the host has ended.
func (c *carried) run() {
	over := context.AfterFunc(c.conn.Context(), c.tellEnd)
	c.running.Go(c.acceptStreams)
	c.running.Go(c.receiveDatagrams)
	_ = c.framer.read(c.handle)
	over()
	_ = c.conn.Close(transport.CloseNone, "") // unless it is closed: then the host has gone
	c.cancel()
	c.mu.Lock()
	for _, s := range c.streams {
		s.die()
	}
	c.mu.Unlock()
	c.framer.cut()
	c.running.Wait()
}

// tellEnd is the last thing that the host hears.
func (c *carried) tellEnd() {
	c.framer.say(transportv1.Kind_CLOSED, 0, endToWire(context.Cause(c.conn.Context())))
	c.framer.end()
}

func (c *carried) acceptStreams() {
	for {
		s, err := c.conn.AcceptStream(c.ctx)
		if err != nil {
			return
		}
		c.mu.Lock()
		id := c.next
		c.next += 2
		c.mu.Unlock()
		carried := c.register(id, s)
		c.framer.send(transportv1.Kind_ACCEPTED, id, nil)
		carried.start()
	}
}

func (c *carried) receiveDatagrams() {
	for {
		data, err := c.conn.ReceiveDatagram(c.ctx)
		if err != nil {
			return
		}
		if len(data) <= frameMost && c.framer.queued() < maxBacklog {
			c.framer.send(transportv1.Kind_DATAGRAM, 0, data)
		}
	}
}

func (c *carried) handle(f frame) error {
	switch f.kind {
	case transportv1.Kind_OPEN:
		ctx, cancel := context.WithCancel(c.ctx)
		c.mu.Lock()
		twice := c.streams[f.stream] != nil || c.opening[f.stream] != nil
		if !twice {
			c.opening[f.stream] = cancel // the next frame may be that it is given up
		}
		c.mu.Unlock()
		if twice {
			cancel()
			return malformed("stream %d is opened twice", f.stream)
		}
		return c.request(f.stream, func(id uint32) error {
			defer cancel()
			return c.open(ctx, id)
		})
	case transportv1.Kind_DATAGRAM:
		data := append([]byte(nil), f.payload...)
		return c.request(f.stream, func(uint32) error { return c.conn.SendDatagram(data) })
	case transportv1.Kind_MIGRATE:
		return c.request(f.stream, c.migrate)
	case transportv1.Kind_INFO:
		c.tellInfo()
		return nil
	case transportv1.Kind_CLOSE:
		end := &transportv1.End{}
		if err := f.into(end); err != nil {
			return err
		}
		c.running.Go(func() { _ = c.conn.Close(transport.CloseCode(end.GetCode()), clipped(end.GetReason())) })
		return nil
	}
	c.mu.Lock()
	s, cancel := c.streams[f.stream], c.opening[f.stream]
	c.mu.Unlock()
	switch {
	case s != nil:
		return s.handle(f)
	case cancel != nil && f.kind == transportv1.Kind_RESET:
		cancel()
	}
	return nil
}

// request does what is answered by DONE, without holding up the frames behind it.
func (c *carried) request(id uint32, do func(uint32) error) error {
	select {
	case c.room <- struct{}{}:
	default:
		return malformed("more than %d requests at once", maxRequests)
	}
	c.running.Go(func() {
		defer func() { <-c.room }()
		c.framer.say(transportv1.Kind_DONE, id, &transportv1.Done{Error: toWire(do(id))})
	})
	return nil
}

// open opens a stream for the host, unless it has given the stream up before, which ends
// ctx.
func (c *carried) open(ctx context.Context, id uint32) error {
	stream, err := c.conn.OpenStream(ctx)
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.opening, id)
		return err
	}
	s := c.register(id, stream)
	if err := ctx.Err(); err != nil {
		stream.Reset(transport.CloseNone)
		s.forget()
		return err
	}
	s.start()
	return nil
}

func (c *carried) migrate(uint32) error {
	mover, ok := c.conn.(transport.Migrator)
	if !ok {
		return transport.ErrFixed
	}
	err := mover.Migrate(c.ctx)
	c.tellInfo()
	return err
}

func (c *carried) tellInfo() {
	said := infoToWire(c.conn.Info())
	if rover, ok := c.conn.(transport.Rover); ok {
		said.Astray = rover.Astray()
	}
	c.framer.say(transportv1.Kind_INFO, 0, said)
}
