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
	"sync/atomic"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// Streams lists the byte streams of the node.
func (c *Client) Streams(ctx context.Context) (Streams, error) {
	return fetch[Streams](ctx, c, "/v1/streams", nil)
}

// Migrate moves the link to a node to another local address.
func (c *Client) Migrate(ctx context.Context, node name.Node) (Migration, error) {
	return post[Migration](ctx, c, "/v1/migrate", joinRequest{Node: node})
}

// OpenStream opens a stream to the listener for a tag on a node. What in gives is sent,
// what comes is written to out; it returns when both have ended, or with an error, after
// which a Read of in that waits is not broken off.
func (c *Client) OpenStream(ctx context.Context, tag string, node name.Node, in io.Reader, out io.Writer) error {
	return c.pipe(ctx, "/v1/stream", url.Values{"tag": {tag}, "node": {node.String()}}, in, out, func() {})
}

// AcceptStream listens for a tag and joins the first stream that comes to in and out,
// until the other end has sent all. listening is called when streams are taken.
func (c *Client) AcceptStream(ctx context.Context, tag string, in io.Reader, out io.Writer, listening func()) error {
	return c.pipe(ctx, "/v1/listen", url.Values{"tag": {tag}}, in, out, listening)
}

func (c *Client) pipe(ctx context.Context, path string, query url.Values, in io.Reader, out io.Writer, begun func()) error {
	if err := checkSocketPath(c.socket); err != nil {
		return err
	}
	conn, err := c.dial(ctx)
	if err != nil {
		return c.explain(ctx, err)
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	e := &exchange{client: c, conn: conn, in: in}
	defer func() { _ = conn.Close() }()
	err = e.run(ctx, path, query, out, begun)
	if unread := e.unread.Load(); unread != nil {
		return *unread
	}
	return err
}

// exchange is a request and its answer, which flow at the same time. A node that ends a
// stream stops reading and says why in the answer; an http.Transport would give up the
// answer with the request.
type exchange struct {
	client *Client
	conn   net.Conn
	in     io.Reader
	unread atomic.Pointer[error] // why in could not be read
}

// Read reads what is to be sent. Where that fails, the exchange has no end of its own.
func (e *exchange) Read(b []byte) (int, error) {
	n, err := e.in.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		e.unread.Store(&err)
		_ = e.conn.Close()
	}
	return n, err
}

func (e *exchange) run(ctx context.Context, path string, query url.Values, out io.Writer, begun func()) error {
	request, err := newRequest(ctx, http.MethodPost, path, query, nil)
	if err != nil {
		return err
	}
	request.Body = io.NopCloser(e)
	go func() { _ = request.Write(e.conn) }() // ends with the connection, once in has been read; the answer says what went wrong
	response, err := http.ReadResponse(bufio.NewReader(e.conn), request)
	if err != nil {
		return e.client.explain(ctx, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return e.client.readError(ctx, response)
	}
	begun()
	if _, err := io.Copy(out, response.Body); err != nil {
		return e.client.explain(ctx, err)
	}
	return e.client.readTrailer(response)
}

func (c *Client) readTrailer(response *http.Response) error {
	text := response.Trailer.Get(trailer)
	if text == "" {
		return nil
	}
	failed := &Error{}
	if json.Unmarshal([]byte(text), failed) != nil {
		return c.fail(KindFailed, fmt.Sprintf("stream ended: %s", clip(text)))
	}
	return failed
}
