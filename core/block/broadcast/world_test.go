package broadcast

import (
	"context"
	"io"
	"log/slog"
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
	t     *testing.T
	nodes map[name.Node]*station
	tasks sync.WaitGroup
}

// station is one node, with what it was told.
type station struct {
	*Broadcast
	w    *world
	node name.Node

	mu      sync.Mutex
	got     map[string]int
	tree    []name.Node
	streams []*stream // open ones, of either end
	deaf    bool      // its readers do not read
}

func inWorld(t *testing.T, size int, test func(*testing.T, *world, []*station)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, nodes: map[name.Node]*station{}}
		var all []*station
		for i := range size {
			all = append(all, w.add(i))
		}
		test(t, w, all)
		for _, s := range all {
			if err := s.Stop(context.Background()); err != nil {
				t.Error(err)
			}
		}
		w.tasks.Wait()
	})
}

func (w *world) add(i int) *station {
	s := &station{w: w, node: name.MustNode(string(rune('a'+i%26)) + string(rune('a'+i/26)) + "@h"), got: map[string]int{}}
	s.Broadcast = New(Config{
		Origin: uint64(i + 1), Incarnation: 1, Network: s,
		Tree: func(near []name.Node) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.tree = near
		},
		Tasks: plugin.NewTasks(func(p plugin.Panic) { w.t.Errorf("%v\n%s", p, p.Stack) }),
		Log:   slog.New(slog.DiscardHandler),
	})
	s.Handle(Membership, func(_ name.Node, data []byte) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.got[string(data)]++
	})
	if err := s.Start(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.nodes[s.node] = s
	return s
}

// link makes two stations neighbours.
func (w *world) link(a, b *station) {
	a.Up(b.node)
	b.Up(a.node)
}

func (w *world) unlink(a, b *station) {
	a.Down(b.node)
	b.Down(a.node)
}

// OpenBroadcast is part of Network.
func (s *station) OpenBroadcast(_ context.Context, node name.Node) (Stream, error) {
	to := s.w.nodes[node]
	near, far := pipe(s, to)
	s.w.tasks.Go(func() { to.Receive(context.Background(), s.node, far) })
	return near, nil
}

func (s *station) keep(one *stream) *stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams = append(s.streams, one)
	return one
}

func (s *station) isDeaf() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.deaf
}

func (s *station) open() []*stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.streams)
}

// stopReading makes a station deaf.
func (s *station) stopReading() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deaf = true
}

// count is how often a message came.
func (s *station) count(data string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got[data]
}

func (s *station) say(t *testing.T, data string) {
	t.Helper()
	if err := s.Send(Membership, []byte(data)); err != nil {
		t.Fatal(err)
	}
}

func within(t *testing.T, d time.Duration, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(d); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, d)
		}
	}
}

// stream is one end of a stream with a window of its own: who does not read stops who
// writes.
type stream struct {
	r, w         *half
	moved, ended chan struct{}
	once         sync.Once
	of           *station // at this end
}

// half is one direction, with room for so many bytes.
type half struct {
	mu     sync.Mutex
	cond   *sync.Cond
	data   []byte
	closed error
}

const window = 256 << 10

func pipe(near, far *station) (*stream, *stream) {
	a, b := &half{}, &half{}
	a.cond, b.cond = sync.NewCond(&a.mu), sync.NewCond(&b.mu)
	return near.keep(&stream{of: near, r: a, w: b, moved: make(chan struct{}), ended: make(chan struct{})}),
		far.keep(&stream{of: far, r: b, w: a, moved: make(chan struct{}), ended: make(chan struct{})})
}

func (s *stream) Read(p []byte) (int, error) {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	for (len(s.r.data) == 0 || s.of.isDeaf()) && s.r.closed == nil {
		s.r.cond.Wait()
	}
	if len(s.r.data) == 0 {
		return 0, s.r.closed
	}
	n := copy(p, s.r.data)
	s.r.data = s.r.data[n:]
	s.r.cond.Broadcast()
	return n, nil
}

func (s *stream) Write(p []byte) (written int, err error) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	for written < len(p) {
		for len(s.w.data) >= window && s.w.closed == nil {
			s.w.cond.Wait()
		}
		if s.w.closed != nil {
			return written, s.w.closed
		}
		n := min(len(p)-written, window-len(s.w.data))
		s.w.data = append(s.w.data, p[written:written+n]...)
		written += n
		s.w.cond.Broadcast()
	}
	return written, nil
}

func (h *half) close(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed == nil {
		h.closed = err
	}
	h.cond.Broadcast()
}

func (s *stream) CloseWrite() error              { s.w.close(io.EOF); return nil }
func (s *stream) Reset(code transport.CloseCode) { s.r.close(reset(code)); s.w.close(reset(code)) }
func (s *stream) Moved() <-chan struct{}         { return s.moved }
func (s *stream) Ended() <-chan struct{}         { return s.ended }
func (s *stream) Release()                       { s.once.Do(func() {}) }

func reset(code transport.CloseCode) error { return &transport.ResetError{Code: code} }

// hear lets a station read again.
func (s *station) hear() {
	s.mu.Lock()
	s.deaf = false
	streams := s.streams
	s.mu.Unlock()
	for _, one := range streams {
		one.r.mu.Lock()
		one.r.cond.Broadcast()
		one.r.mu.Unlock()
	}
}
