package admin

import (
	"context"
)

// done is the answer of an action that has nothing to tell.
type done struct{}

func (s *Server) join(ctx context.Context, r *joinRequest) (any, error) {
	return done{}, s.node.Join(ctx, r.Node)
}

func (s *Server) leave(ctx context.Context, q *query) (any, error) {
	if err := q.done(); err != nil {
		return nil, err
	}
	return done{}, s.node.Leave(ctx)
}

func (s *Server) reload(ctx context.Context, q *query) (any, error) {
	if err := q.done(); err != nil {
		return nil, err
	}
	changes, err := s.node.Reload(ctx)
	return reloadAnswer{Changes: list(changes)}, err
}

func (s *Server) call(ctx context.Context, r *messageRequest) (any, error) {
	answer, err := s.node.Call(ctx, r.Target, r.Payload)
	return payloadAnswer{Payload: list(answer)}, err
}

func (s *Server) send(ctx context.Context, r *messageRequest) (any, error) {
	return done{}, s.node.Send(ctx, r.Target, r.Payload)
}

func (s *Server) rotate(ctx context.Context, r *rotateRequest) (any, error) {
	return s.node.Rotate(ctx, r.What)
}

func (s *Server) addPin(_ context.Context, r *pinRequest) (any, error) {
	return done{}, s.node.AddPin(r.Node, r.key)
}

func (s *Server) removePin(_ context.Context, q *query) (any, error) {
	node := q.node(true)
	if err := q.done(); err != nil {
		return nil, err
	}
	return done{}, s.node.RemovePin(node)
}

func (s *Server) setMode(ctx context.Context, r *modeDocument) (any, error) {
	return done{}, s.node.SetTrustMode(ctx, r.Mode)
}
