package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/plugin"
)

const (
	maxRequests   = 256              // open at the same time, streams included
	headerTimeout = 5 * time.Second  // to send the request line and headers
	bodyTimeout   = 30 * time.Second // to send the body
	stopGrace     = time.Second      // for a stream to take its last bytes
)

// Server answers questions about one node on a unix socket. It is a part: Start
// opens the socket, Stop ends every stream and waits; both may be repeated. Safe for
// concurrent use, except that Start and Stop are not called at the same time.
type Server struct {
	socket string
	node   Node
	log    *slog.Logger

	mu  sync.Mutex
	run *serving
}

// serving is one life of a server, from Start to Stop.
type serving struct {
	http     *http.Server
	opened   fs.FileInfo
	gate     *gate
	sessions *sessions
	end      context.CancelFunc
	done     chan error // the result of Serve
}

var _ plugin.Part = (*Server)(nil)

// NewServer makes a server for node at the path socket (at most 107 bytes). It
// touches nothing until Start.
func NewServer(socket string, node Node, log *slog.Logger) *Server {
	return &Server{socket: socket, node: node, log: log}
}

// Start opens the socket with mode 0600, in a folder that it makes with mode 0700 if
// there is none. The socket of a dead process is replaced; that of a living one is an
// error. ctx bounds the start only.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.run != nil {
		return fmt.Errorf("socket %q: started already", s.socket)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	listener, opened, err := listen(s.socket)
	if err != nil {
		return err
	}
	s.run = s.serve(listener, opened)
	return nil
}

func (s *Server) serve(listener net.Listener, opened fs.FileInfo) *serving {
	life, end := context.WithCancel(context.Background())
	run := &serving{
		opened:   opened,
		gate:     &gate{limit: maxRequests},
		sessions: newSessions(),
		end:      end,
		done:     make(chan error, 1),
	}
	run.http = &http.Server{
		Handler:           s.guard(run.gate, s.router(run.sessions)),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return life },
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	go func() { run.done <- run.http.Serve(listener) }()
	return run
}

// Stop closes the socket, ends streams and requests, and waits for them until ctx
// ends. Safe without Start, and twice.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	run := s.run
	s.run = nil
	s.mu.Unlock()
	if run == nil {
		return nil
	}
	run.end()
	waited := run.gate.close(ctx)
	closed := run.shutdown(ctx)
	if err := <-run.done; !errors.Is(err, http.ErrServerClosed) {
		closed = errors.Join(closed, err)
	}
	return errors.Join(waited, closed, removeSocket(s.socket, run.opened))
}

// shutdown lets answers that are written already reach their readers, and then cuts
// every connection: one that never sent a request would be waited for otherwise.
func (run *serving) shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopGrace/4)
	defer cancel()
	if run.http.Shutdown(ctx) == nil {
		return nil
	}
	return run.http.Close()
}

// guard counts requests and keeps a panic of one from reaching the others.
func (s *Server) guard(g *gate, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := g.enter(); err != nil {
			writeError(w, err)
			return
		}
		defer g.leave()
		defer cutWith(r.Context(), http.NewResponseController(w))()
		defer s.contain(w, r)
		next.ServeHTTP(w, r)
	})
}

func (s *Server) contain(w http.ResponseWriter, r *http.Request) {
	value := recover()
	if value == nil {
		return
	}
	s.log.Error("admin request panicked", "path", r.URL.Path, "panic", value, "stack", string(debug.Stack()))
	writeError(w, errPanicked(r.URL.Path))
}

func errPanicked(path string) error {
	return &Error{Kind: KindFailed, Text: fmt.Sprintf("%s: the node panicked over this request: see its log", path)}
}
