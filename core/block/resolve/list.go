package resolve

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// Listed is a node that a backend can name.
type Listed struct {
	discovery.Record
	Backend string // who named it
}

// List names all nodes that the backends can name, sorted. Of a node that several
// name, the first backend of the chain counts, as in Resolve. Complete means that
// every backend can list, did, and missed nothing. The error joins those of the
// backends that could not tell; the others' nodes are there all the same.
func (r *Resolver) List(ctx context.Context) (nodes []Listed, complete bool, err error) {
	seen := map[name.Node]bool{}
	complete = true
	var errs []error
	for i, b := range r.backends {
		listing, err := r.listOne(ctx, b, len(r.backends)-i)
		if err != nil && !errors.Is(err, plugin.ErrUnsupported) {
			errs = append(errs, err)
		}
		complete = complete && err == nil && listing.Complete
		for _, record := range listing.Records {
			if !seen[record.Node] && !record.Node.IsZero() {
				seen[record.Node] = true
				nodes = append(nodes, Listed{Record: record, Backend: b.name})
			}
		}
	}
	slices.SortFunc(nodes, func(a, b Listed) int { return a.Node.Compare(b.Node) })
	return nodes, complete, errors.Join(errs...)
}

func (r *Resolver) listOne(ctx context.Context, b *backend, left int) (discovery.Listing, error) {
	lister, ok := b.plugin.(discovery.Lister)
	if !ok {
		return discovery.Listing{}, plugin.ErrUnsupported
	}
	var listing discovery.Listing
	err := b.call(ctx, share(ctx, r.cfg.Timeout, left), "list", func(ctx context.Context) (err error) {
		listing, err = lister.List(ctx)
		return err
	})
	if err != nil {
		return discovery.Listing{}, fmt.Errorf("discovery %s: list: %w", b.name, err) // a late call may still write listing
	}
	return listing, nil
}
