package core

import (
	"context"
	"fmt"
	"time"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/core/block/resolve"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// Join enters the cluster through a node.
func (c control) Join(ctx context.Context, through name.Node) error {
	return explain(c.join(ctx, through))
}

// Leave leaves the cluster and stays out.
func (c control) Leave(ctx context.Context) error { return explain(c.leave(ctx)) }

// Ping is one round trip.
func (c control) Ping(ctx context.Context, node name.Node) (time.Duration, error) {
	rtt, err := c.links.Ping(ctx, node)
	return rtt, explain(err)
}

// Discover resolves a name through the chain; explain asks every backend.
func (c control) Discover(ctx context.Context, node name.Node, everyone bool) (admin.Discovery, error) {
	if everyone {
		return discoveryDocument(c.resolver.Explain(ctx, node)), nil
	}
	found, err := c.resolver.Resolve(ctx, node)
	return discoveryDocument(found), explain(err)
}

func discoveryDocument(e resolve.Resolution) admin.Discovery {
	doc := admin.Discovery{Node: e.Node, Steps: []admin.DiscoveryStep{}, Answer: admin.DiscoveryAnswer{
		Backend: e.Answer.Backend, Endpoints: notNil(e.Answer.Endpoints),
		Age: admin.Duration(e.Answer.Age), Stale: e.Answer.Stale,
	}}
	for _, s := range e.Steps {
		doc.Steps = append(doc.Steps, admin.DiscoveryStep{
			Backend: s.Backend, Outcome: string(s.Outcome), Endpoints: notNil(s.Endpoints),
			Error: s.Error, Took: admin.Duration(s.Took),
		})
	}
	return doc
}

// The pauses of Whereis between its tries.
const (
	firstRetry = 50 * time.Millisecond
	lastRetry  = 2 * time.Second
)

// Whereis returns one instance, local first. Without one it tries again, later and
// later, up to retries times.
func (c control) Whereis(ctx context.Context, service name.Service, retries int) (admin.Instance, error) {
	wait := firstRetry
	for try := 0; ; try++ {
		if found := c.registry.Lookup(service); len(found) > 0 {
			return c.instance(found[0]), nil
		}
		if try >= retries {
			text := fmt.Sprintf("service %s: nobody that this node knows offers it", service)
			return admin.Instance{}, &admin.Error{Kind: admin.KindNotFound, Text: text}
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return admin.Instance{}, explain(ctx.Err())
		}
		wait = min(2*wait, lastRetry)
	}
}
