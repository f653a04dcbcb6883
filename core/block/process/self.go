package process

import (
	"context"
	"fmt"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// Self is a process as it sees itself. Receiving is for its own goroutine; all else is
// safe for concurrent use. Messages that it sends carry its reference, and those to one
// receiver arrive in the order in which they were sent.
type Self struct{ proc *Process }

// Ref is the reference of the process.
func (s *Self) Ref() name.Ref { return s.proc.ref }

// Node is the node of the process.
func (s *Self) Node() name.Node { return s.proc.ref.Node }

// Receive takes the next message. Its error is that of ctx, or why the process is to
// end.
func (s *Self) Receive(ctx context.Context) (m Message, err error) {
	for !s.take(0, &m) {
		if err := s.sleep(ctx); err != nil {
			return Message{}, err
		}
	}
	return m, nil
}

func (s *Self) peek(i int, m *Message) bool {
	var e entry
	found := s.proc.box.peek(i, &e)
	if found {
		*m = e.message(s.proc.procs)
	}
	return found
}

// take takes the message at a place, and settles what is owed for it.
func (s *Self) take(i int, m *Message) bool {
	var e entry
	found, due := s.proc.box.next(i, &e)
	if found {
		*m = e.message(s.proc.procs)
	}
	s.taken(found, &e, due)
	return found
}

// ReceiveMatch takes the first message that match says yes to; the others stay, in
// order. match is called once for each message that it is shown, from this goroutine.
func (s *Self) ReceiveMatch(ctx context.Context, match func(Message) bool) (Message, error) {
	var m Message
	for i := 0; ; {
		switch {
		case !s.peek(i, &m):
			if err := s.sleep(ctx); err != nil {
				return Message{}, err
			}
		case !match(m):
			i++
		case s.take(i, &m):
			return m, nil
		}
	}
}

// Receive takes the first message whose payload is a T; the others stay.
func Receive[T any](ctx context.Context, s *Self) (T, Message, error) {
	m, err := s.ReceiveMatch(ctx, Is[T])
	if err != nil {
		var none T
		return none, m, err
	}
	v, err := As[T](m)
	return v, m, err
}

// taken settles what is owed for a message that has left the mailbox.
func (s *Self) taken(found bool, e *entry, due responder) {
	if due != nil {
		due.answer(nil, nil)
	}
	if !found {
		return
	}
	if due := e.due(); due != nil {
		due.answer(nil, nil)
	}
	if e.account != nil {
		s.proc.tab.note(e)
	}
}

// sleep waits until something has come. The end of the process is something, so that
// there is one thing to wait for, which takes little of the stack.
func (s *Self) sleep(ctx context.Context) error {
	s.proc.tab.settle()
	life := s.proc.life
	if ctx != life && ctx.Done() != nil {
		return s.sleepUntil(ctx)
	}
	if life.Err() == nil {
		<-s.proc.box.wake
	}
	return context.Cause(life)
}

func (s *Self) sleepUntil(ctx context.Context) error {
	if s.proc.life.Err() != nil {
		return context.Cause(s.proc.life)
	}
	select {
	case <-s.proc.box.wake:
		return context.Cause(s.proc.life)
	case <-ctx.Done():
		s.proc.box.awake()
		if s.proc.life.Err() != nil {
			return context.Cause(s.proc.life)
		}
		return fmt.Errorf("%s: nothing received: %w", s.proc.ref, ctx.Err())
	}
}

// Len is how many messages wait.
func (s *Self) Len() int { return s.proc.box.len() }

// Send puts a message on its way: see Processes.Send.
func (s *Self) Send(ctx context.Context, to Target, value any) error {
	if err := s.alive(); err != nil {
		return err
	}
	return s.proc.procs.send(ctx, s.proc.ref, to, value)
}

// Cast sends without waiting: see Processes.Cast.
func (s *Self) Cast(to Target, value any) error {
	if err := s.alive(); err != nil {
		return err
	}
	return s.proc.procs.cast(s.proc.ref, to, value)
}

// Call sends a message and waits for the answer: see Processes.Call.
func (s *Self) Call(ctx context.Context, to Target, value any) (any, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	return s.proc.procs.call(ctx, s.proc.ref, to, value, 0)
}

// alive: who was killed has no voice any more, even if it goes on.
func (s *Self) alive() error {
	if s.proc.life.Err() != nil && context.Cause(s.proc.life) == ErrKilled { //nolint:errorlint // the very value
		return fmt.Errorf("%s: %w", s.proc.ref, ErrKilled)
	}
	return nil
}

// Spawn starts another process.
func (s *Self) Spawn(spec Spec) (*Process, error) { return s.proc.procs.Spawn(spec) }

// SpawnLink starts another process that is linked to this one from its first moment.
func (s *Self) SpawnLink(spec Spec) (*Process, error) {
	spec.Links = append(spec.Links[:len(spec.Links):len(spec.Links)], s.proc.ref)
	return s.proc.procs.Spawn(spec)
}

// Process is the process as others have it.
func (s *Self) Process() *Process { return s.proc }
