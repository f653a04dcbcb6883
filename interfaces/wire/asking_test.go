package wire

import (
	"context"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

type question struct{ id uint64 }

// fullStream takes one question, and the next when an answer to the first was read: a
// host that answers in turn and whose answers nobody takes reads no questions.
type fullStream struct {
	grpc.ServerStream

	asked chan *question
	read  chan struct{}
	over  context.Context

	answered int
}

func (s *fullStream) SendHeader(metadata.MD) error { return nil }

func (s *fullStream) Send(q *question) error {
	if q.id > 1 {
		select {
		case <-s.read:
		case <-s.over.Done():
			return s.over.Err()
		}
	}
	s.asked <- q
	return nil
}

func (s *fullStream) Recv() (*question, error) {
	if s.answered++; s.answered == 2 {
		close(s.read)
	}
	select {
	case q := <-s.asked:
		return q, nil
	case <-s.over.Done():
		return nil, s.over.Err()
	}
}

// Answers are taken while a question cannot be sent.
func TestAnswersAreTakenWhileAQuestionWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		a := newAsking("test", 2, func(q *question) uint64 { return q.id }, func(q *question, id uint64) { q.id = id })
		stream := &fullStream{asked: make(chan *question, 2), read: make(chan struct{}), over: ctx}
		served := make(chan error, 1)
		answers := make(chan error, 2)
		a.begin(stream)
		for range 2 {
			go func() {
				_, err := a.quick(&question{})
				answers <- err
			}()
		}
		synctest.Wait()
		go func() { served <- a.serve(stream) }()
		for range 2 {
			if err := <-answers; err != nil {
				t.Error(err)
			}
		}
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}
