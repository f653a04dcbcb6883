package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is some nodes whose links are made of pipes.
type world struct {
	t  *testing.T
	mu sync.Mutex
	// by node
	nodes  map[name.Node]*Processes
	refuse error              // what Connect says
	silent map[name.Node]bool // nobody answers there: Connect waits in vain
	// by both nodes, the smaller first
	links map[[2]name.Node]*wire
	tasks sync.WaitGroup
}

func inWorld(t *testing.T, test func(*testing.T, *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, nodes: map[name.Node]*Processes{}, links: map[[2]name.Node]*wire{}, silent: map[name.Node]bool{}}
		defer w.close()
		test(t, w)
	})
}

func (w *world) close() {
	for _, p := range w.nodes {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		must(w.t, p.Stop(ctx))
		cancel()
	}
	for _, l := range w.links {
		l.end()
	}
	w.tasks.Wait()
}

func (w *world) node(text string) *Processes {
	return w.nodeTaking(text, 0)
}

// nodeTaking is a node that takes so many bytes in one message; 0: what is taken untold.
func (w *world) nodeTaking(text string, bytes int) *Processes {
	node := name.MustNode(text)
	panicked := func(p plugin.Panic) { w.t.Errorf("%v\n%s", p, p.Stack) }
	p := New(Config{
		Node: node, Incarnation: 1, Network: road{w, node}, MaxPayload: bytes,
		Tasks: plugin.NewTasks(panicked), Log: slog.New(slog.DiscardHandler),
	})
	must(w.t, p.Start(w.t.Context()))
	w.nodes[node] = p
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wire is one connection between two nodes.
type wire struct {
	moved, ended chan struct{}
	once         sync.Once
	held         chan struct{} // streams arrive when it is closed
	mu           sync.Mutex
	pipes        []*pipe
	paused       bool // what is written is not read, for now
}

func newWire() *wire {
	held := make(chan struct{})
	close(held)
	return &wire{moved: make(chan struct{}), ended: make(chan struct{}), held: held}
}

var errLost = errors.New("connection lost")

func (l *wire) end() {
	l.once.Do(func() {
		close(l.ended)
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, p := range l.pipes {
			p.fail(errLost)
		}
	})
}

// pause lets both ends stand still; go on with each of the pipes.
func (l *wire) pause(on bool) []*pipe {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.paused = on
	if on {
		for _, p := range l.pipes {
			p.pause(true)
		}
	}
	return slices.Clone(l.pipes)
}

func pairOf(a, b name.Node) [2]name.Node {
	if a.Compare(b) > 0 {
		a, b = b, a
	}
	return [2]name.Node{a, b}
}

func (w *world) link(a, b name.Node) *wire {
	w.mu.Lock()
	defer w.mu.Unlock()
	l := w.links[pairOf(a, b)]
	if l == nil {
		l = newWire()
		w.links[pairOf(a, b)] = l
	}
	return l
}

// move lets another connection win; the one before goes on until end is called.
func (w *world) move(a, b *Processes) (before *wire) {
	before = w.link(a.cfg.Node, b.cfg.Node)
	w.mu.Lock()
	w.links[pairOf(a.cfg.Node, b.cfg.Node)] = newWire()
	w.mu.Unlock()
	close(before.moved)
	return before
}

// lose ends the link between two nodes.
func (w *world) lose(a, b *Processes) {
	l := w.link(a.cfg.Node, b.cfg.Node)
	w.mu.Lock()
	delete(w.links, pairOf(a.cfg.Node, b.cfg.Node))
	w.mu.Unlock()
	l.end()
	a.PeerDown(b.cfg.Node, "lost")
	b.PeerDown(a.cfg.Node, "lost")
}

// die is the power cut of a node: its links end, and nobody answers there.
func (w *world) die(dead *Processes) {
	w.mu.Lock()
	w.silent[dead.cfg.Node] = true
	w.mu.Unlock()
	for _, p := range w.nodes {
		if p != dead {
			w.lose(p, dead)
		}
	}
}

// road is the network as one node sees it.
type road struct {
	world *world
	self  name.Node
}

func (r road) Connect(ctx context.Context, node name.Node) error {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	if r.world.silent[node] {
		r.world.mu.Unlock()
		<-ctx.Done()
		r.world.mu.Lock()
	}
	if r.world.refuse != nil {
		return r.world.refuse
	}
	if r.world.nodes[node] == nil {
		return fmt.Errorf("%s: %w", node, transport.ErrUnreachable)
	}
	return ctx.Err()
}

func (r road) OpenMessages(ctx context.Context, node name.Node) (Stream, error) {
	if err := r.Connect(ctx, node); err != nil {
		return nil, err
	}
	here, there := r.world.link(r.self, node).open()
	to := r.world.nodes[node]
	r.world.tasks.Go(func() {
		<-there.wire.held
		to.Receive(context.Background(), r.self, 1, there)
	})
	return here, nil
}

func (r road) Hold(name.Node) (release func()) { return func() {} }

// open makes both ends of a stream.
func (l *wire) open() (here, there *end) {
	out, back := newPipe(), newPipe()
	l.mu.Lock()
	defer l.mu.Unlock()
	out.paused, back.paused = l.paused, l.paused
	l.pipes = append(l.pipes, out, back)
	return &end{wire: l, in: back, out: out}, &end{wire: l, in: out, out: back}
}

// end is one end of a stream.
type end struct {
	wire     *wire
	in, out  *pipe
	released sync.Once
}

func (e *end) Read(p []byte) (int, error)         { return e.in.read(p) }
func (e *end) Write(p []byte) (int, error)        { return e.out.write(p) }
func (e *end) CloseWrite() error                  { return e.out.close() }
func (e *end) SetReadDeadline(t time.Time) error  { e.in.deadline(t, true); return nil }
func (e *end) SetWriteDeadline(t time.Time) error { e.out.deadline(t, false); return nil }
func (e *end) Moved() <-chan struct{}             { return e.wire.moved }
func (e *end) Ended() <-chan struct{}             { return e.wire.ended }
func (e *end) TryWrite([]byte) (bool, error)      { return false, nil }
func (e *end) Touch()                             {}
func (e *end) Release()                           { e.released.Do(func() {}) }

func (e *end) Reset(code transport.CloseCode) {
	e.in.fail(&transport.ResetError{Code: code})
	e.out.fail(&transport.ResetError{Code: code})
}

// pipe is one direction of a stream.
type pipe struct {
	mu      sync.Mutex
	changed *sync.Cond
	unread  []byte
	closed  bool
	paused  bool // what is there is not read
	err     error

	readBy, writeBy time.Time
}

const window = 64 << 10

func newPipe() *pipe {
	p := &pipe{}
	p.changed = sync.NewCond(&p.mu)
	return p
}

func passed(t time.Time) bool { return !t.IsZero() && !time.Now().Before(t) }

func (p *pipe) read(into []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.err != nil:
			return 0, p.err
		case len(p.unread) > 0 && !p.paused:
			n := copy(into, p.unread)
			p.unread = p.unread[n:]
			p.changed.Broadcast()
			return n, nil
		case p.closed && len(p.unread) == 0:
			return 0, io.EOF
		case passed(p.readBy):
			return 0, os.ErrDeadlineExceeded
		}
		p.changed.Wait()
	}
}

func (p *pipe) write(data []byte) (n int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.err != nil:
			return n, p.err
		case p.closed:
			return n, io.ErrClosedPipe
		case n == len(data):
			return n, nil
		case passed(p.writeBy):
			return n, os.ErrDeadlineExceeded
		}
		if room := window - len(p.unread); room > 0 {
			more := min(room, len(data)-n)
			p.unread = append(p.unread, data[n:n+more]...)
			n += more
			p.changed.Broadcast()
			continue
		}
		p.changed.Wait()
	}
}

func (p *pipe) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.changed.Broadcast()
	return p.err
}

func (p *pipe) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil && !(p.closed && len(p.unread) == 0) {
		p.err = err
	}
	p.changed.Broadcast()
}

func (p *pipe) pause(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paused = on
	p.changed.Broadcast()
}

func (p *pipe) deadline(t time.Time, read bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if read {
		p.readBy = t
	} else {
		p.writeBy = t
	}
	p.changed.Broadcast()
	if !t.IsZero() {
		time.AfterFunc(max(time.Until(t), 0), func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.changed.Broadcast()
		})
	}
}

// serve spawns a process behind a name.
func (w *world) serve(p *Processes, service string, spec Spec) *Process {
	w.t.Helper()
	proc, err := p.Spawn(spec)
	must(w.t, err)
	must(w.t, p.Bind(name.MustService(service), proc.Ref()))
	return proc
}

func echo(_ context.Context, m Message) (any, error) { return m.Bytes(), nil }

func to(p *Processes, service string) Target { return ToName(p.cfg.Node, name.MustService(service)) }

// gate is a handler that stands still until it is opened, and notes what came.
type gate struct {
	open chan struct{}
	mu   sync.Mutex
	got  []string
}

func newGate() *gate { return &gate{open: make(chan struct{})} }

func (g *gate) handle(ctx context.Context, m Message) (any, error) {
	select {
	case <-g.open:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.got = append(g.got, string(m.Bytes()))
	return m.Bytes(), nil
}

func (g *gate) all() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.got...)
}

func text(value any) string { return string(bytesOf(value)) }
