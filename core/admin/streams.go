package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// Streamer moves links and carries byte streams.
type Streamer interface {
	Migrate(ctx context.Context, node name.Node) (Migration, error)
	Streams() Streams
	// OpenStream opens a stream to the listener for a tag on a node.
	OpenStream(ctx context.Context, tag string, node name.Node) (ByteStream, error)
	// AcceptStream listens for a tag until one stream has come. listening is called once,
	// when streams are taken.
	AcceptStream(ctx context.Context, tag string, listening func() error) (ByteStream, error)
}

// ByteStream is one end of a stream.
type ByteStream interface {
	io.ReadWriteCloser
	CloseWrite() error
	RemoteAddr() net.Addr
}

// Migration is what `migrate` did: Redialed means that the other side had dialed, so that
// another connection was made in place of the one there was.
type Migration struct {
	Node     name.Node    `json:"node"`
	From     name.Address `json:"from"`
	To       name.Address `json:"to"`
	Redialed bool         `json:"redialed"`
}

// Streams are the open byte streams of a node, and the tags that somebody listens for.
type Streams struct {
	Streams []Stream `json:"streams"`
	Tags    []string `json:"tags"`
	Refused uint64   `json:"refused"` // that nobody took
}

// Stream is one open byte stream. Direction is "opened" or "accepted".
type Stream struct {
	Node         name.Node `json:"node"`
	Tag          string    `json:"tag"`
	Direction    string    `json:"direction"`
	Waiting      bool      `json:"waiting"` // nobody has accepted it yet
	Since        time.Time `json:"since"`
	BytesRead    uint64    `json:"bytes_read"`
	BytesWritten uint64    `json:"bytes_written"`
}

// MarshalJSON writes the document.
func (s Streams) MarshalJSON() ([]byte, error) {
	type plain Streams
	s.Streams, s.Tags = list(s.Streams), list(s.Tags)
	return json.Marshal(plain(s))
}

// trailer is where an error stands that came when the answer had begun.
const trailer = "Barrel-Error"

func (s *Server) migrate(ctx context.Context, r *joinRequest) (any, error) {
	return s.node.Migrate(ctx, r.Node)
}

func (s *Server) streams() (any, error) { return s.node.Streams(), nil }

// openStream serves POST /v1/stream: the body goes to the stream, what comes is the answer.
func (s *Server) openStream(w http.ResponseWriter, r *http.Request) {
	q := newQuery(r)
	tag, node := q.text("tag"), q.node(true)
	p, err := newPipe(w, r, q)
	if err != nil {
		writeError(w, err)
		return
	}
	stream, err := s.node.OpenStream(r.Context(), tag, node)
	if err != nil {
		writeError(w, err)
		return
	}
	if p.begin() == nil {
		p.carry(stream, false)
	}
}

// acceptStream serves POST /v1/listen: the answer begins when streams are taken, and is
// what comes over the first one.
func (s *Server) acceptStream(w http.ResponseWriter, r *http.Request) {
	q := newQuery(r)
	tag := q.text("tag")
	p, err := newPipe(w, r, q)
	if err != nil {
		writeError(w, err)
		return
	}
	stream, err := s.node.AcceptStream(r.Context(), tag, p.begin)
	switch {
	case err == nil:
		p.carry(stream, true)
	case p.begun:
		p.fail(err)
	default:
		writeError(w, err)
	}
}

// pipe joins a request and its answer to a stream. Both directions flow at the same time.
type pipe struct {
	w       http.ResponseWriter
	r       *http.Request
	control *http.ResponseController
	begun   bool
}

// newPipe checks the query of a request. No answer waits for the end of the body, which
// may come from somebody's keyboard.
func newPipe(w http.ResponseWriter, r *http.Request, q *query) (*pipe, error) {
	p := &pipe{w: w, r: r, control: http.NewResponseController(w)}
	return p, errors.Join(q.done(), p.control.EnableFullDuplex())
}

func (p *pipe) begin() error {
	p.begun = true
	p.w.Header().Set("Content-Type", "application/octet-stream")
	p.w.Header().Set("Trailer", trailer)
	p.w.WriteHeader(http.StatusOK)
	return p.control.Flush()
}

func (p *pipe) fail(err error) {
	if text, failed := json.Marshal(asError(err)); failed == nil {
		p.w.Header().Set(trailer, string(text))
	}
}

// carry copies both ways and closes the stream. It ends when both have ended, or with the
// answer alone.
func (p *pipe) carry(stream ByteStream, answerOnly bool) {
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		if _, err := io.Copy(stream, p.r.Body); err == nil {
			_ = stream.CloseWrite() // fails only where the stream has
		}
	}()
	stop := context.AfterFunc(p.r.Context(), func() { _ = stream.Close() })
	defer breakOffWith(p.r.Context(), p.control)()
	_, err := io.Copy(flushed{p}, stream)
	if err == nil && !answerOnly {
		<-sent
	}
	if err != nil && p.r.Context().Err() == nil {
		p.fail(err)
	}
	stop()
	_ = stream.Close()
	_ = p.control.SetReadDeadline(time.Unix(1, 0)) // the copy of the body ends too
	<-sent
}

// flushed lets the reader have what comes at once.
type flushed struct{ *pipe }

func (f flushed) Write(b []byte) (int, error) {
	n, err := f.w.Write(b)
	return n, errors.Join(err, f.control.Flush())
}
