package core

import (
	"context"
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

// Whereis returns one instance, local first, then the nearest. Without one it tries again,
// later and later, up to retries times.
func (c control) Whereis(ctx context.Context, service name.Service, retries int) (admin.Instance, error) {
	e, err := c.services.Whereis(ctx, service, Retries(retries))
	if err != nil {
		return admin.Instance{}, explain(err)
	}
	return c.instance(e), nil
}
