package admin

import (
	"context"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

func fetch[T any](ctx context.Context, c *Client, path string, query url.Values) (answer T, err error) {
	err = c.ask(ctx, http.MethodGet, path, query, nil, &answer)
	return answer, err
}

func post[T any](ctx context.Context, c *Client, path string, body any) (answer T, err error) {
	err = c.ask(ctx, http.MethodPost, path, nil, body, &answer)
	return answer, err
}

// Status asks for the one page about the node.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return fetch[Status](ctx, c, "/v1/status", nil)
}

// Members asks for the members of the cluster.
func (c *Client) Members(ctx context.Context) ([]Member, error) {
	return fetch[[]Member](ctx, c, "/v1/members", nil)
}

// View asks for the neighbourhood of the node.
func (c *Client) View(ctx context.Context) (View, error) { return fetch[View](ctx, c, "/v1/view", nil) }

// Links asks for the open connections.
func (c *Client) Links(ctx context.Context) ([]Link, error) {
	return fetch[[]Link](ctx, c, "/v1/links", nil)
}

// Services asks for the services whose name starts with prefix.
func (c *Client) Services(ctx context.Context, prefix string) ([]Service, error) {
	return fetch[[]Service](ctx, c, "/v1/services", url.Values{"prefix": {prefix}})
}

// Lookup asks for all instances of a service; there may be none.
func (c *Client) Lookup(ctx context.Context, service name.Service) ([]Instance, error) {
	return fetch[[]Instance](ctx, c, "/v1/lookup", url.Values{"name": {service.String()}})
}

// Whereis asks for one instance of a service, local first; KindNotFound when there is
// none after so many retries.
func (c *Client) Whereis(ctx context.Context, service name.Service, retries int) (Instance, error) {
	return fetch[Instance](ctx, c, "/v1/whereis",
		url.Values{"name": {service.String()}, "retries": {strconv.Itoa(retries)}})
}

// Plugins asks for what is built in and what runs outside.
func (c *Client) Plugins(ctx context.Context) ([]Plugin, error) {
	return fetch[[]Plugin](ctx, c, "/v1/plugins", nil)
}

// Discover asks the node to resolve a name; explain asks every backend.
func (c *Client) Discover(ctx context.Context, node name.Node, explain bool) (Discovery, error) {
	return fetch[Discovery](ctx, c, "/v1/discover",
		url.Values{"node": {node.String()}, "explain": {strconv.FormatBool(explain)}})
}

// Ping measures one round trip to another node.
func (c *Client) Ping(ctx context.Context, node name.Node) (time.Duration, error) {
	round, err := fetch[Round](ctx, c, "/v1/ping", url.Values{"node": {node.String()}})
	return time.Duration(round.RTT), err
}

// Doctor asks the node to look for reasons why things do not work; node may be zero.
func (c *Client) Doctor(ctx context.Context, node name.Node) ([]Check, error) {
	return fetch[[]Check](ctx, c, "/v1/doctor", url.Values{"node": {node.String()}})
}

// Keys asks for the identity of the node.
func (c *Client) Keys(ctx context.Context) (Keys, error) { return fetch[Keys](ctx, c, "/v1/keys", nil) }

// Rotate replaces the identity or the cert of the node.
func (c *Client) Rotate(ctx context.Context, what string) (Rotation, error) {
	return post[Rotation](ctx, c, "/v1/keys/rotate", rotateRequest{What: what})
}

// Pins asks for the pinned keys.
func (c *Client) Pins(ctx context.Context) ([]Pin, error) {
	return fetch[[]Pin](ctx, c, "/v1/trust", nil)
}

// AddPin pins a key for a node.
func (c *Client) AddPin(ctx context.Context, node name.Node, key [32]byte) error {
	return c.ask(ctx, http.MethodPost, "/v1/trust", nil,
		pinRequest{Node: node, PublicKey: hex.EncodeToString(key[:])}, nil)
}

// RemovePin forgets the key of a node; KindNotFound when there is none.
func (c *Client) RemovePin(ctx context.Context, node name.Node) error {
	return c.ask(ctx, http.MethodDelete, "/v1/trust", url.Values{"node": {node.String()}}, nil, nil)
}

// TrustMode asks which trust plugin decides.
func (c *Client) TrustMode(ctx context.Context) (string, error) {
	document, err := fetch[modeDocument](ctx, c, "/v1/trust/mode", nil)
	return document.Mode, err
}

// SetTrustMode makes another trust plugin decide.
func (c *Client) SetTrustMode(ctx context.Context, mode string) error {
	return c.ask(ctx, http.MethodPut, "/v1/trust/mode", nil, modeDocument{Mode: mode}, nil)
}

// Join makes the node join through another.
func (c *Client) Join(ctx context.Context, through name.Node) error {
	return c.ask(ctx, http.MethodPost, "/v1/join", nil, joinRequest{Node: through}, nil)
}

// Leave makes the node leave and stay out.
func (c *Client) Leave(ctx context.Context) error {
	return c.ask(ctx, http.MethodPost, "/v1/leave", nil, nil, nil)
}

// Call calls a service and returns its answer.
func (c *Client) Call(ctx context.Context, target string, payload []byte) ([]byte, error) {
	if err := checkPayload(payload); err != nil {
		return nil, err
	}
	answer, err := post[payloadAnswer](ctx, c, "/v1/call", messageRequest{Target: target, Payload: payload})
	return answer.Payload, err
}

// Send sends a message to a service.
func (c *Client) Send(ctx context.Context, target string, payload []byte) error {
	if err := checkPayload(payload); err != nil {
		return err
	}
	return c.ask(ctx, http.MethodPost, "/v1/send", nil, messageRequest{Target: target, Payload: payload}, nil)
}
