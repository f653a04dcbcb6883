package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
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
	if err := q.done(); err != nil {
		writeError(w, err)
		return
	}
	stream, err := s.node.OpenStream(r.Context(), tag, node)
	if err != nil {
		writeError(w, err)
		return
	}
	p := newPipe(w, r)
	if p.begin() == nil {
		p.carry(stream, false)
	}
}

// acceptStream serves POST /v1/listen: the answer begins when streams are taken, and is
// what comes over the first one.
func (s *Server) acceptStream(w http.ResponseWriter, r *http.Request) {
	q := newQuery(r)
	tag := q.text("tag")
	if err := q.done(); err != nil {
		writeError(w, err)
		return
	}
	p := newPipe(w, r)
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

func newPipe(w http.ResponseWriter, r *http.Request) *pipe {
	return &pipe{w: w, r: r, control: http.NewResponseController(w)}
}

func (p *pipe) begin() error {
	if err := p.control.EnableFullDuplex(); err != nil {
		return err
	}
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

// Streams lists the byte streams of the node.
func (c *Client) Streams(ctx context.Context) (Streams, error) {
	return fetch[Streams](ctx, c, "/v1/streams", nil)
}

// Migrate moves the link to a node to another local address.
func (c *Client) Migrate(ctx context.Context, node name.Node) (Migration, error) {
	return post[Migration](ctx, c, "/v1/migrate", joinRequest{Node: node})
}

// OpenStream opens a stream to the listener for a tag on a node. What in gives is sent,
// what comes is written to out; it returns when both have ended.
func (c *Client) OpenStream(ctx context.Context, tag string, node name.Node, in io.Reader, out io.Writer) error {
	return c.pipe(ctx, "/v1/stream", url.Values{"tag": {tag}, "node": {node.String()}}, in, out, func() {})
}

// AcceptStream listens for a tag and joins the first stream that comes to in and out,
// until the other end has sent all. listening is called when streams are taken.
func (c *Client) AcceptStream(ctx context.Context, tag string, in io.Reader, out io.Writer, listening func()) error {
	return c.pipe(ctx, "/v1/listen", url.Values{"tag": {tag}}, in, out, listening)
}

func (c *Client) pipe(ctx context.Context, path string, query url.Values, in io.Reader, out io.Writer, begun func()) error {
	address := url.URL{Scheme: "http", Host: "barrel", Path: path, RawQuery: query.Encode()}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address.String(), io.NopCloser(bufio.NewReader(in)))
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return c.explain(ctx, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return c.readError(ctx, response)
	}
	begun()
	if _, err := io.Copy(out, response.Body); err != nil {
		return c.explain(ctx, err)
	}
	if text := response.Trailer.Get(trailer); text != "" {
		failed := &Error{}
		if json.Unmarshal([]byte(text), failed) != nil {
			return c.fail(KindFailed, fmt.Sprintf("stream ended: %s", clip(text)))
		}
		return failed
	}
	return nil
}
