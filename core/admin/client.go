package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"
)

// maxAnswer bounds what a client reads of one answer, in bytes.
const maxAnswer = 64 << 20

// Client asks a node over its socket. Errors of its methods are *Error, whose kind is
// the node's, or KindNoNode when nobody listens, or KindTimeout when the deadline of
// ctx ended the wait; the error of a cancelled ctx is that of ctx. Safe for concurrent
// use; it keeps no connection open between calls and needs no Close.
type Client struct {
	socket string
	http   http.Client
}

// NewClient makes a client of the node whose socket is at the path. It touches
// nothing until it is asked something.
func NewClient(socket string) *Client {
	c := &Client{socket: socket}
	c.http.Transport = &http.Transport{
		DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return c.dial(ctx) },
		DisableKeepAlives:  true,
		DisableCompression: true,
	}
	return c
}

func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "unix", c.socket)
}

// Socket is the path that the client dials.
func (c *Client) Socket() string { return c.socket }

// ask sends one request and decodes the answer into answer, which may be nil.
func (c *Client) ask(ctx context.Context, method, path string, query url.Values, body, answer any) error {
	response, err := c.open(ctx, method, path, withTimeout(ctx, query), "application/json", body)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if answer == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(answer); err != nil {
		return c.explain(ctx, err)
	}
	return nil
}

// open sends a request and returns the answer if it is a success.
func (c *Client) open(ctx context.Context, method, path string, query url.Values, accept string, body any) (*http.Response, error) {
	if err := checkSocketPath(c.socket); err != nil {
		return nil, err
	}
	request, err := newRequest(ctx, method, path, query, body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", accept)
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	if response.StatusCode != http.StatusOK {
		defer func() { _ = response.Body.Close() }()
		return nil, c.readError(ctx, response)
	}
	return response, nil
}

func newRequest(ctx context.Context, method, path string, query url.Values, body any) (*http.Request, error) {
	address := url.URL{Scheme: "http", Host: "barrel", Path: path, RawQuery: query.Encode()}
	var content io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(raw)
	}
	return http.NewRequestWithContext(ctx, method, address.String(), content)
}

// withTimeout tells the node how long the caller waits, a little less than it does,
// so that the node's own account of what took so long arrives in time.
func withTimeout(ctx context.Context, query url.Values) url.Values {
	deadline, ok := ctx.Deadline()
	left := time.Until(deadline)
	if !ok || left <= 0 {
		return query
	}
	if query == nil {
		query = url.Values{}
	}
	query.Set("timeout", (left - min(left/10, 200*time.Millisecond)).String())
	return query
}

func (c *Client) readError(ctx context.Context, response *http.Response) error {
	raw, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return c.explain(ctx, err)
	}
	var document errorDocument
	if json.Unmarshal(raw, &document) != nil || document.Error == nil {
		return c.fail(KindFailed, fmt.Sprintf("answered %s: is it a node's admin socket?", response.Status))
	}
	return document.Error
}

// explain turns what the network said into what the caller can do.
func (c *Client) explain(ctx context.Context, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &Error{Kind: KindTimeout, Text: tooLate}
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, fs.ErrNotExist):
		return c.fail(KindNoNode, "there is none: start a node with barrel run, or name its socket with --socket")
	case errors.Is(err, syscall.ECONNREFUSED):
		return c.fail(KindNoNode, "nobody listens any more: start the node again with barrel run")
	case errors.Is(err, fs.ErrPermission):
		return c.fail(KindFailed, "permission denied: ask as the user who runs the node")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return c.fail(KindNoNode, "the node ended the connection: it has stopped, see its log")
	}
	return c.fail(KindFailed, err.Error())
}

func (c *Client) fail(kind Kind, text string) error {
	return &Error{Kind: kind, Text: fmt.Sprintf("socket %q: %s", c.socket, text)}
}
