package core

import (
	"context"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/core/block/process"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// serveWorkers is how many calls a command on the socket may be answering at once.
const serveWorkers = 16

// serving keeps the order of what needs no answer.
func serving(s *process.Spec) { s.Workers, s.InOrder = serveWorkers, true }

// Call sends and waits for the answer.
func (c control) Call(ctx context.Context, target string, payload []byte) ([]byte, error) {
	to, err := ParseTarget(target)
	if err != nil {
		return nil, explain(err)
	}
	out, err := c.call(ctx, to, payload)
	return c.processes.Types().Bytes(out), explain(err)
}

// Send delivers a message and returns when it is in the mailbox, so that a person
// learns whether it arrived.
func (c control) Send(ctx context.Context, target string, payload []byte) error {
	to, err := ParseTarget(target)
	if err == nil {
		err = c.deliver(ctx, to, payload)
	}
	return explain(err)
}

// Serve registers a service that something beyond the socket handles.
func (c control) Serve(ctx context.Context, service name.Service, meta map[string]string, started func(admin.Instance),
	handle func(context.Context, admin.Delivery) ([]byte, error),
) error {
	reg, err := c.register(ctx, service, meta, func(ctx context.Context, m Message) (any, error) {
		return handle(ctx, admin.Delivery{Call: m.Call, From: m.From, Payload: c.processes.Types().Bytes(m.Value())})
	}, serving)
	if err != nil {
		return explain(err)
	}
	if e, there := reg.Entry(); there {
		started(c.instance(e))
	}
	select {
	case <-ctx.Done():
	case <-reg.Done():
	}
	return reg.Close()
}
