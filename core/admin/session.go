package admin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"sync"
)

// errHolderGone: the program that registered the service has gone.
var errHolderGone = errors.New("the program that held the service has gone")

// registrationLine is one line that the node writes to the holder of a registration;
// exactly one of its fields is set, except that Session comes with Registered.
type registrationLine struct {
	Registered *Instance `json:"registered,omitempty"`
	Session    string    `json:"session,omitempty"` // goes into the path of replies
	Delivery   *Delivery `json:"delivery,omitempty"`
	Cancel     uint64    `json:"cancel,omitempty"` // the call that nobody waits for any more
	Error      *Error    `json:"error,omitempty"`
}

// sessions are the registrations held over this server.
type sessions struct {
	mu   sync.Mutex
	open map[string]*session
}

func newSessions() *sessions { return &sessions{open: map[string]*session{}} }

func (s *sessions) begin() *session {
	one := &session{
		id:      rand.Text(),
		lines:   make(chan registrationLine, 16),
		gone:    make(chan struct{}),
		waiting: map[uint64]chan *Reply{},
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[one.id] = one
	return one
}

func (s *sessions) end(one *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, one.id)
}

func (s *sessions) find(id string) (*session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one, ok := s.open[id]
	return one, ok
}

// session is one registration that a program holds by its open connection.
type session struct {
	id    string
	lines chan registrationLine // to the holder
	gone  chan struct{}         // closed when the holder is gone

	mu      sync.Mutex
	last    uint64
	waiting map[uint64]chan *Reply
}

// started tells the holder that the service is registered.
func (s *session) started(i Instance) {
	_ = s.queue(context.Background(), registrationLine{Registered: &i, Session: s.id})
}

// deliver hands a message or call to the holder and waits for the answer of a call.
func (s *session) deliver(ctx context.Context, d Delivery) ([]byte, error) {
	d.ID = 0
	if !d.Call {
		return nil, s.queue(ctx, registrationLine{Delivery: &d})
	}
	id, answer := s.expect()
	defer s.forget(id)
	d.ID = id
	if err := s.queue(ctx, registrationLine{Delivery: &d}); err != nil {
		return nil, err
	}
	select {
	case r := <-answer:
		return r.result()
	case <-s.gone:
		return nil, errHolderGone
	case <-ctx.Done():
		s.giveUp(id)
		return nil, ctx.Err()
	}
}

func (r *Reply) result() ([]byte, error) {
	if r.Error != "" {
		return nil, &Error{Kind: KindFailed, Text: r.Error}
	}
	return r.Payload, nil
}

// queue waits for room: a holder that does not read slows down those who call it.
func (s *session) queue(ctx context.Context, line registrationLine) error {
	select {
	case s.lines <- line:
		return nil
	case <-s.gone:
		return errHolderGone
	case <-ctx.Done():
		return ctx.Err()
	}
}

// giveUp tells the holder that it may stop working; if it does not read, it will see
// that its answer is refused.
func (s *session) giveUp(id uint64) {
	select {
	case s.lines <- registrationLine{Cancel: id}:
	default:
	}
}

func (s *session) expect() (uint64, <-chan *Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	answer := make(chan *Reply, 1)
	s.waiting[s.last] = answer
	return s.last, answer
}

func (s *session) forget(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, id)
}

// answer passes a reply on to the call that waits for it, once.
func (s *session) answer(r *Reply) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer, ok := s.waiting[r.ID]
	if !ok {
		return &Error{Kind: KindNotFound, Text: fmt.Sprintf(
			"call %d: nobody waits for it: it was answered, or its caller gave up", r.ID)}
	}
	delete(s.waiting, r.ID)
	answer <- r
	return nil
}

// reply serves POST /v1/register/{session}/reply.
func reply(open *sessions) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		one, ok := open.find(r.PathValue("session"))
		if !ok {
			writeError(w, &Error{Kind: KindNotFound, Text: fmt.Sprintf(
				"registration %q: not held any more: register again", clip(r.PathValue("session")))})
			return
		}
		action(maxPayloadBody, func(_ context.Context, reply *Reply) (any, error) {
			return done{}, one.answer(reply)
		})(w, r)
	}
}
