package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sync"

	"github.com/barrelp2p/barrel/interfaces/name"
)

const (
	maxHandlers = 64 // calls that one registration handles at a time
	maxQueued   = 64 // messages that wait for the one before
)

// Register holds a service until ctx ends, which is its only good end: the error is
// then that of ctx. started is called once, when the service is registered. handle is
// called for each message, one after another, and for each call, several at a time;
// its context ends when the caller gives up or the registration ends. The answer of
// a message is not used.
func (c *Client) Register(ctx context.Context, service name.Service, meta map[string]string, started func(Instance),
	handle func(context.Context, Delivery) ([]byte, error),
) error {
	ctx, cancel := context.WithCancel(ctx)
	h := &holder{
		client: c, handle: handle, started: started, cancel: map[uint64]context.CancelFunc{},
		slots: make(chan struct{}, maxHandlers), messages: make(chan Delivery, maxQueued),
	}
	defer h.running.Wait()
	defer cancel()
	response, err := c.open(ctx, http.MethodPost, "/v1/register", nil, typeLines,
		registerRequest{Name: service, Meta: meta})
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	h.running.Go(func() { h.readMessages(ctx) })
	return c.readLines(ctx, response.Body, func(line []byte) error { return h.take(ctx, line) })
}

// holder is the client's half of a registration.
type holder struct {
	client   *Client
	handle   func(context.Context, Delivery) ([]byte, error)
	started  func(Instance)
	session  string
	running  sync.WaitGroup
	slots    chan struct{}
	messages chan Delivery

	mu     sync.Mutex
	cancel map[uint64]context.CancelFunc // of the calls being handled
}

func (h *holder) take(ctx context.Context, raw []byte) error {
	var line registrationLine
	if err := json.Unmarshal(raw, &line); err != nil {
		return h.client.fail(KindFailed, err.Error())
	}
	switch {
	case line.Error != nil:
		return line.Error
	case line.Registered != nil:
		h.session = line.Session
		h.started(*line.Registered)
	case line.Cancel != 0:
		h.giveUp(line.Cancel)
	case line.Delivery == nil: // a line of a later version
	case line.Delivery.Call:
		return h.begin(ctx, *line.Delivery)
	default:
		select {
		case h.messages <- *line.Delivery:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (h *holder) readMessages(ctx context.Context) {
	for {
		select {
		case d := <-h.messages:
			// A message has no answer, and nobody to be told of an error.
			_, _ = h.handle(ctx, d)
		case <-ctx.Done():
			return
		}
	}
}

// begin handles a call on a goroutine of its own, when a slot is free.
func (h *holder) begin(ctx context.Context, d Delivery) error {
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	callCtx, cancel := context.WithCancel(ctx)
	h.mu.Lock()
	h.cancel[d.ID] = cancel
	h.mu.Unlock()
	h.running.Go(func() {
		defer func() { <-h.slots }()
		defer h.giveUp(d.ID)
		h.answer(ctx, callCtx, d)
	})
	return nil
}

// answer sends the reply of one call. That it cannot be sent means that the caller
// gave up, or that the node has gone, which the stream of lines tells.
func (h *holder) answer(ctx, callCtx context.Context, d Delivery) {
	payload, err := h.handle(callCtx, d)
	r := Reply{ID: d.ID, Payload: payload}
	if err == nil {
		err = checkPayload(payload)
	}
	if err != nil {
		r = Reply{ID: d.ID, Error: errorText(err)}
	}
	_ = h.client.ask(ctx, http.MethodPost, "/v1/register/"+url.PathEscape(h.session)+"/reply", nil, r, nil)
}

func errorText(err error) string {
	if text := err.Error(); text != "" {
		return text
	}
	return fmt.Sprintf("%T", err)
}

func (h *holder) giveUp(id uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if cancel, ok := h.cancel[id]; ok {
		delete(h.cancel, id)
		cancel()
	}
}
