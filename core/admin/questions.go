package admin

import (
	"context"
	"net/http"
)

// maxRetries bounds how often one request asks again.
const maxRetries = 1000

// plain is a question without parameters.
func plain(answer func() (any, error)) http.HandlerFunc {
	return question(func(_ context.Context, q *query) (any, error) {
		if err := q.done(); err != nil {
			return nil, err
		}
		return answer()
	})
}

func (s *Server) status() (any, error)  { return s.node.Status(), nil }
func (s *Server) members() (any, error) { return list(s.node.Members()), nil }
func (s *Server) view() (any, error)    { return s.node.View(), nil }
func (s *Server) links() (any, error)   { return list(s.node.Links()), nil }
func (s *Server) plugins() (any, error) { return list(s.node.Plugins()), nil }
func (s *Server) keys() (any, error)    { return s.node.Keys(), nil }
func (s *Server) mode() (any, error)    { return modeDocument{Mode: s.node.TrustMode()}, nil }

func (s *Server) pins() (any, error) {
	pins, err := s.node.Pins()
	return list(pins), err
}

func (s *Server) services(_ context.Context, q *query) (any, error) {
	prefix := q.text("prefix")
	if err := q.done(); err != nil {
		return nil, err
	}
	return list(s.node.Services(prefix)), nil
}

func (s *Server) lookup(_ context.Context, q *query) (any, error) {
	service := q.service("name")
	if err := q.done(); err != nil {
		return nil, err
	}
	return list(s.node.Lookup(service)), nil
}

func (s *Server) whereis(ctx context.Context, q *query) (any, error) {
	service, retries := q.service("name"), q.number("retries", maxRetries)
	if err := q.done(); err != nil {
		return nil, err
	}
	return s.node.Whereis(ctx, service, retries)
}

func (s *Server) discover(ctx context.Context, q *query) (any, error) {
	node, explain := q.node(true), q.flag("explain")
	if err := q.done(); err != nil {
		return nil, err
	}
	return s.node.Discover(ctx, node, explain)
}

func (s *Server) ping(ctx context.Context, q *query) (any, error) {
	node := q.node(true)
	if err := q.done(); err != nil {
		return nil, err
	}
	took, err := s.node.Ping(ctx, node)
	return Round{Seq: 1, RTT: Duration(took)}, err
}

func (s *Server) doctor(ctx context.Context, q *query) (any, error) {
	node := q.node(false)
	if err := q.done(); err != nil {
		return nil, err
	}
	return list(s.node.Doctor(ctx, node)), nil
}
