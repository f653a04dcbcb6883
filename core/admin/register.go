package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
)

// register serves POST /v1/register: the answer is a stream of lines that lasts as
// long as the registration. The registration ends when the connection does.
func (s *Server) register(open *sessions) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var request registerRequest
		err := newQuery(r).done()
		if err == nil {
			err = readBody(w, r, maxBody, &request)
		}
		if err != nil {
			writeError(w, err)
			return
		}
		one := open.begin()
		defer open.end(one)
		s.hold(w, r, one, &request)
	}
}

// hold runs the registration and writes its lines until one side ends it.
func (s *Server) hold(w http.ResponseWriter, r *http.Request, one *session, request *registerRequest) {
	ctx, cancel := context.WithCancel(r.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.serveSession(ctx, one, request) }()

	out := newStream(w, lineFrame)
	stop := cutWith(ctx, out.control)
	served, err := out.copy(one.lines, ended)
	close(one.gone)
	cancel()
	if !served {
		err = errors.Join(err, <-ended)
		s.log.Debug("the holder of a service went away", "service", request.Name, "error", err)
	}
	stop()
	switch {
	case !served || r.Context().Err() != nil: // nobody reads any more
	case !out.started:
		writeError(w, err)
	default:
		_ = out.write("", registrationLine{Error: asError(err)})
	}
}

// copy writes lines until the registration ends (served) or the reader is gone.
func (s *stream) copy(lines <-chan registrationLine, ended <-chan error) (served bool, err error) {
	for {
		select {
		case line := <-lines:
			if !s.started {
				if err := s.start(typeLines); err != nil {
					return false, err
				}
			}
			if err := s.write("", line); err != nil {
				return false, err
			}
		case err := <-ended:
			return true, err
		}
	}
}

// serveSession is Node.Serve on a goroutine of its own, so a panic ends here. It
// never returns nil: a registration that just ends is an error for its holder.
func (s *Server) serveSession(ctx context.Context, one *session, request *registerRequest) (err error) {
	defer func() {
		if value := recover(); value != nil {
			s.log.Error("registration panicked", "service", request.Name, "panic", value, "stack", string(debug.Stack()))
			err = errPanicked("registration of " + request.Name.String())
		}
	}()
	if request.Meta == nil {
		request.Meta = map[string]string{}
	}
	err = s.node.Serve(ctx, request.Name, request.Meta, one.started, one.deliver)
	if err == nil {
		err = &Error{Kind: KindFailed, Text: fmt.Sprintf("service %s: the node ended the registration", request.Name)}
	}
	return err
}
