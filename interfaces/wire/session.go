package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/proto/pluginv1"
)

// session is the host's side of the streams of a plugin that tells and is fed, from
// Start to Stop. It ends as a whole: when one stream breaks, the plugin is of no use.
type session struct {
	ctx    context.Context // ended by end, with the reason
	cancel context.CancelCauseFunc
	tasks  sync.WaitGroup

	mu   sync.Mutex
	told uint64        // how far the plugin's telling is known here
	news chan struct{} // closed and replaced when told grows
}

func newSession() *session {
	s := &session{news: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	return s
}

// errEnded: the host has stopped the plugin.
var errEnded = errors.New("stopped")

// end closes the streams and waits for what runs on them.
func (s *session) end() {
	s.cancel(errEnded)
	s.tasks.Wait()
}

// broken is why the session has ended by itself; nil while it goes on, and after end.
func (s *session) broken() error {
	if err := context.Cause(s.ctx); err != nil && !errors.Is(err, errEnded) {
		return err
	}
	return nil
}

// run reads or writes a stream until it breaks or the session ends.
func (s *session) run(what string, work func() error) {
	s.tasks.Go(func() {
		err := work()
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("has ended: %w", plugin.ErrGone)
		}
		s.cancel(fmt.Errorf("%s: %w", what, err))
	})
}

// advance notes how far the plugin has told.
func (s *session) advance(told uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if told > s.told {
		s.told = told
		close(s.news)
		s.news = make(chan struct{})
	}
}

// await returns when the plugin's telling is known here as far as told.
func (s *session) await(ctx context.Context, told uint64) error {
	for {
		s.mu.Lock()
		known, news := s.told >= told, s.news
		s.mu.Unlock()
		if known {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.ctx.Done():
			return context.Cause(s.ctx)
		}
	}
}

// streams is the session of a plugin that tells and is fed, and what it is lent, while
// it runs.
type streams struct {
	mu      sync.Mutex
	session *session // nil: it does not run
	loan    *loan[pluginv1.Answer, pluginv1.Question]
}

// lending is the call by which a plugin may ask.
type lending func(context.Context, ...grpc.CallOption) (grpc.BidiStreamingClient[pluginv1.Answer, pluginv1.Question], error)

// phases is what a start consists of, in this order: nothing that the plugin tells or
// asks is missed, and nothing counts before it has started.
type phases struct {
	listen func(context.Context, *session) error
	start  func(context.Context) error
	adopt  func() error
	feed   func(*session) error
	sync   func(context.Context) error
}

// start makes a session in which the plugin may ask the desk, and goes through the
// phases. If one of them fails there is no session.
func (t *streams) start(ctx context.Context, d *desk, call lending, p phases) error {
	l, err := lend(ctx, maxQuestions, call, d.answer)
	if err != nil {
		return fmt.Errorf("lend: %w", err)
	}
	s := newSession()
	t.exchange(s, l)
	for _, phase := range []func() error{
		func() error { return p.listen(ctx, s) },
		func() error { return p.start(ctx) },
		p.adopt,
		func() error { return p.feed(s) },
		func() error { return p.sync(ctx) },
	} {
		if err := phase(); err != nil {
			t.exchange(nil, nil)
			return err
		}
	}
	return nil
}

// stop stops the plugin, hears it out, and ends the session.
func (t *streams) stop(ctx context.Context, stop, sync func(context.Context) error) error {
	err := stop(ctx)
	if err == nil && t.runs() {
		err = sync(ctx)
	}
	t.exchange(nil, nil)
	return err
}

// exchange puts another session in, or none, and ends the one before.
func (t *streams) exchange(s *session, l *loan[pluginv1.Answer, pluginv1.Question]) {
	t.mu.Lock()
	oldSession, oldLoan := t.session, t.loan
	t.session, t.loan = s, l
	t.mu.Unlock()
	if oldSession != nil {
		oldSession.end()
	}
	if oldLoan != nil {
		oldLoan.end()
	}
}

func (t *streams) current() *session {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.session
}

func (t *streams) runs() bool { return t.current() != nil }

// broken is why the plugin is of no use any more, whatever it says of itself.
func (t *streams) broken() error {
	if s := t.current(); s != nil {
		return s.broken()
	}
	return nil
}

// await returns when what the plugin has told up to a number is known here.
func (t *streams) await(ctx context.Context, told uint64) error {
	s := t.current()
	if s == nil {
		return plugin.ErrGone
	}
	return s.await(ctx, told)
}

// watch opens what the plugin tells, and returns when the plugin has it.
func watch[Q, R any](patience context.Context, s *session, call func(context.Context, *Q, ...grpc.CallOption) (grpc.ServerStreamingClient[R], error), request *Q) (grpc.ServerStreamingClient[R], error) {
	defer context.AfterFunc(patience, func() { s.cancel(context.Cause(patience)) })()
	stream, err := call(s.ctx, request)
	if err == nil {
		_, err = stream.Header()
	}
	if err != nil {
		return nil, fmt.Errorf("watch: %w", fromStatus(patience, err))
	}
	return stream, nil
}

// outlet is the plugin's side of telling: what is put comes out in order, on the stream
// of the moment. A plugin that tells faster than the host reads waits.
type outlet[E any] struct {
	ready chan struct{} // holds a token while there is something to take

	mu    sync.Mutex
	room  *sync.Cond
	open  bool
	watch int // which it is, counted
	queue []E
	told  uint64
}

// maxTold is how many events wait for the host.
const maxTold = 1024

func newOutlet[E any]() *outlet[E] {
	o := &outlet[E]{ready: make(chan struct{}, 1)}
	o.room = sync.NewCond(&o.mu)
	return o
}

// put tells an event; while nobody watches it is lost.
func (o *outlet[E]) put(e E) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.open && len(o.queue) >= maxTold {
		o.room.Wait()
	}
	if o.open {
		o.queue = append(o.queue, e)
		o.told++
		o.ring()
	}
}

// mark has a message sent, with an event or without, and returns its number.
func (o *outlet[E]) mark() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.told++
	o.ring()
	return o.told
}

// count is how much was told.
func (o *outlet[E]) count() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.told
}

func (o *outlet[E]) ring() {
	select {
	case o.ready <- struct{}{}:
	default:
	}
}

// take removes the first events, as many as fit says, and the number of the last.
func (o *outlet[E]) take(fit func(at int, e *E) bool) (events []E, told uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for n < len(o.queue) && fit(n, &o.queue[n]) {
		n++
	}
	events = append(events, o.queue[:n]...)
	o.queue = append([]E(nil), o.queue[n:]...)
	if len(o.queue) > 0 {
		o.ring()
	}
	o.room.Broadcast()
	return events, o.told - uint64(len(o.queue))
}

// watched is one watch: send is called whenever there is something to take, until it
// fails or the host ends the stream.
func (o *outlet[E]) watched(ctx context.Context, header func(metadata.MD) error, send func() error) error {
	defer o.finish(o.begin())
	if err := header(metadata.MD{}); err != nil {
		return err
	}
	for {
		select {
		case <-o.ready:
		case <-ctx.Done():
			return nil
		}
		if err := send(); err != nil {
			return err
		}
	}
}

// begin takes the place of an earlier watch, which may not have noticed its end yet.
func (o *outlet[E]) begin() (watch int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open, o.queue, o.told = true, nil, 0
	o.watch++
	return o.watch
}

func (o *outlet[E]) finish(watch int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.watch != watch {
		return
	}
	o.open, o.queue = false, nil
	o.room.Broadcast()
}

// fed is the plugin's side of a feed: take is given what comes until the host ends it.
func fed[Q, R any](stream grpc.ClientStreamingServer[Q, R], take func(*Q) error) error {
	for {
		in, err := stream.Recv()
		if err != nil {
			return err // the host has ended it, and does not read this
		}
		if err := take(in); err != nil {
			return err
		}
	}
}
