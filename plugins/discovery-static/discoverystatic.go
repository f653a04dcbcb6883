// Package discoverystatic is the discovery backend that needs nothing: a table of
// nodes and addresses in the settings. The table changes when the settings are
// reloaded, and never otherwise; nothing is published and nothing is asked.
//
// It does not resolve the host names in its addresses: that is the transport's
// business when it dials.
//
// Operators come here for seeds with fixed addresses:
//
//	discovery:
//	  use: [static]
//	  static: {nodes: {"seed1@10.0.0.1": ["10.0.0.1:9100"]}}
package discoverystatic

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

var (
	_ discovery.Plugin = (*table)(nil)
	_ discovery.Lister = (*table)(nil)
	_ plugin.Reloader  = (*table)(nil)
)

// Factory makes the backend "static".
func Factory() discovery.Factory {
	return plugin.Define("static", "a table of nodes and addresses in the settings", defaults, newTable)
}

type table struct {
	env     discovery.Env
	current atomic.Pointer[version]
}

// version is one state of the table; it is never changed, only replaced.
type version struct {
	nodes map[name.Node][]name.Address
	since time.Time
}

func newTable(env discovery.Env, s *Settings) (discovery.Plugin, error) {
	t := &table{env: env}
	t.replace(s)
	return t, nil
}

func (t *table) replace(s *Settings) {
	nodes := make(map[name.Node][]name.Address, len(s.Nodes))
	for node, endpoints := range s.Nodes {
		nodes[node] = slices.Clone(endpoints)
	}
	t.current.Store(&version{nodes: nodes, since: time.Now()})
}

func (t *table) Start(context.Context) error { return nil }

func (t *table) Stop(context.Context) error { return nil }

// Lookup answers from the table. The fact is as old as the question: the operator
// vouches for the table as long as it stands there.
func (t *table) Lookup(ctx context.Context, node name.Node) (discovery.Answer, error) {
	if err := ctx.Err(); err != nil {
		return discovery.Answer{}, err
	}
	endpoints := t.current.Load().nodes[node]
	if len(endpoints) == 0 {
		return discovery.Answer{}, discovery.ErrNotFound
	}
	return discovery.Answer{Endpoints: slices.Clone(endpoints)}, nil
}

// List is the whole table, as of the last reload.
func (t *table) List(ctx context.Context) (discovery.Listing, error) {
	if err := ctx.Err(); err != nil {
		return discovery.Listing{}, err
	}
	v := t.current.Load()
	records := make([]discovery.Record, 0, len(v.nodes))
	for node, endpoints := range v.nodes {
		records = append(records, discovery.Record{Node: node, Endpoints: slices.Clone(endpoints), Written: v.since})
	}
	slices.SortFunc(records, func(a, b discovery.Record) int { return a.Node.Compare(b.Node) })
	return discovery.Listing{Records: records, Complete: true, AsOf: v.since}, nil
}

// Reload replaces the whole table at once: a lookup sees the old one or the new one.
func (t *table) Reload(ctx context.Context, settings any) error {
	s, ok := settings.(*Settings)
	if !ok {
		return fmt.Errorf("discovery static: settings are a %T, not a %T", settings, s)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	t.replace(s)
	t.env.Log.Info("static table replaced", "nodes", len(s.Nodes))
	return nil
}
