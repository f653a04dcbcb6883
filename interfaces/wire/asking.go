package wire

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// This file turns the direction around: on a stream that the host opens the plugin asks
// and the host answers. Q is a question, A an answer.

// loan is the host's side: it answers what the plugin asks, until end.
type loan[A, Q any] struct {
	stream grpc.BidiStreamingClient[A, Q]
	// answer returns the answer, or how to get one that takes its time.
	answer func(q *Q) (now *A, later func(context.Context) *A)
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	room   chan struct{}

	sending sync.Mutex
}

// lend opens the stream to the plugin and returns when the plugin has it. open questions
// that take their time are answered at once.
func lend[A, Q any](patience context.Context, open int, call func(context.Context, ...grpc.CallOption) (grpc.BidiStreamingClient[A, Q], error), answer func(*Q) (*A, func(context.Context) *A)) (*loan[A, Q], error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer context.AfterFunc(patience, cancel)()
	stream, err := call(ctx)
	if err == nil {
		_, err = stream.Header() // the plugin has it now
	}
	if err != nil {
		cancel()
		return nil, fromStatus(patience, err)
	}
	l := &loan[A, Q]{stream: stream, answer: answer, cancel: cancel, room: make(chan struct{}, open)}
	l.tasks.Go(l.run)
	return l, nil
}

func (l *loan[A, Q]) end() {
	l.cancel()
	l.tasks.Wait()
}

func (l *loan[A, Q]) run() {
	defer l.cancel()
	for {
		question, err := l.stream.Recv()
		if err != nil {
			return
		}
		now, later := l.answer(question)
		switch {
		case later == nil:
			l.send(now)
		case !l.begin(later):
			return
		}
	}
}

// begin has an answer made beside the others; false if the loan has ended meanwhile.
func (l *loan[A, Q]) begin(later func(context.Context) *A) bool {
	ctx := l.stream.Context()
	select {
	case l.room <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	l.tasks.Go(func() {
		defer func() { <-l.room }()
		l.send(later(ctx))
	})
	return true
}

// send drops what cannot be sent: the stream has ended, and the plugin knows. A nil
// answer is none.
func (l *loan[A, Q]) send(answer *A) {
	if answer == nil {
		return
	}
	l.sending.Lock()
	defer l.sending.Unlock()
	_ = l.stream.Send(answer)
}

// asking is the plugin's side. Between Stop and Start, when the host does not lend what
// is asked for, every answer is an error.
type asking[A, Q any] struct {
	what   string // for errors
	idOf   func(*A) uint64
	number func(*Q, uint64)
	room   chan struct{} // for questions whose answers take their time

	sending sync.Mutex // held while a question is sent, which the host may hold up until its answers are read

	mu      sync.Mutex
	stream  grpc.BidiStreamingServer[A, Q] // nil: not lent
	next    uint64
	waiting map[uint64]chan *A
}

// errNotLent: the host lends what is asked for from Start to Stop.
var errNotLent = fmt.Errorf("the host does not lend it now: %w", plugin.ErrGone)

// askPatience is for how long an answer from the host's memory is waited for.
const askPatience = 5 * time.Second

func newAsking[A, Q any](what string, open int, idOf func(*A) uint64, number func(*Q, uint64)) *asking[A, Q] {
	return &asking[A, Q]{what: what, idOf: idOf, number: number, room: make(chan struct{}, open), waiting: map[uint64]chan *A{}}
}

// serve is one loan, until the host ends it. It takes the place of an earlier one.
func (a *asking[A, Q]) serve(stream grpc.BidiStreamingServer[A, Q]) error {
	a.begin(stream)
	defer a.finish(stream)
	if err := stream.SendHeader(metadata.MD{}); err != nil {
		return err
	}
	for {
		answer, err := stream.Recv()
		if err != nil {
			return nil // the host has ended the loan, which is how it ends
		}
		if waiting := a.forget(a.idOf(answer)); waiting != nil {
			waiting <- answer
		}
	}
}

func (a *asking[A, Q]) begin(stream grpc.BidiStreamingServer[A, Q]) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stream = stream
}

// finish waits for who sends, which ends with the stream: nothing is sent on one whose
// handler has returned.
func (a *asking[A, Q]) finish(stream grpc.BidiStreamingServer[A, Q]) {
	a.sending.Lock()
	defer a.sending.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stream != stream {
		return
	}
	a.stream = nil
	for id, waiting := range a.waiting {
		close(waiting)
		delete(a.waiting, id)
	}
}

// ask asks a question whose answer takes its time, within ctx.
func (a *asking[A, Q]) ask(ctx context.Context, q *Q) (*A, error) {
	select {
	case a.room <- struct{}{}:
		defer func() { <-a.room }()
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: %d questions are open: %w", a.what, cap(a.room), context.Cause(ctx))
	}
	return a.put(ctx, q)
}

// quick asks what the host answers from memory.
func (a *asking[A, Q]) quick(q *Q) (*A, error) {
	ctx, cancel := context.WithTimeout(context.Background(), askPatience)
	defer cancel()
	return a.put(ctx, q)
}

func (a *asking[A, Q]) put(ctx context.Context, q *Q) (*A, error) {
	id, waiting, err := a.send(q)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.what, err)
	}
	select {
	case answer, ok := <-waiting:
		if !ok {
			return nil, fmt.Errorf("%s: %w", a.what, errNotLent)
		}
		return answer, nil
	case <-ctx.Done():
		a.forget(id)
		return nil, &abandoned{id: id, err: fmt.Errorf("%s: the host does not answer: %w", a.what, context.Cause(ctx))}
	}
}

// abandoned is the error of a question whose answer nobody waits for any more.
type abandoned struct {
	id  uint64
	err error
}

// Error is that of the context.
func (e *abandoned) Error() string { return e.err.Error() }

// Unwrap is the error of the context.
func (e *abandoned) Unwrap() error { return e.err }

// abandonedID is the question that err is about, if it is still open at the host.
func abandonedID(err error) (id uint64, open bool) {
	var left *abandoned
	if !errors.As(err, &left) {
		return 0, false
	}
	return left.id, true
}

// send sends a question in the order of their numbers.
func (a *asking[A, Q]) send(q *Q) (uint64, <-chan *A, error) {
	a.sending.Lock()
	defer a.sending.Unlock()
	stream, id, waiting := a.expect()
	if stream == nil {
		return 0, nil, errNotLent
	}
	a.number(q, id)
	if err := stream.Send(q); err != nil {
		a.forget(id)
		return 0, nil, err
	}
	return id, waiting, nil
}

// expect makes room for an answer.
func (a *asking[A, Q]) expect() (grpc.BidiStreamingServer[A, Q], uint64, <-chan *A) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stream == nil {
		return nil, 0, nil
	}
	a.next++
	waiting := make(chan *A, 1)
	a.waiting[a.next] = waiting
	return a.stream, a.next, waiting
}

func (a *asking[A, Q]) forget(id uint64) chan *A {
	a.mu.Lock()
	defer a.mu.Unlock()
	waiting := a.waiting[id]
	delete(a.waiting, id)
	return waiting
}
