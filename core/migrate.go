package core

import (
	"context"
	"errors"
	"time"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/core/block/link"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// Moved says how a link was moved.
type Moved = link.Moved

// The errors of Migrate that callers decide on; test with errors.Is.
var (
	ErrNoLink   = link.ErrNoLink   // there is no link to move
	ErrFixed    = link.ErrFixed    // this link can never move
	ErrPathDead = link.ErrPathDead // not this time; the old path is used on
)

// migrateTime is for how long Migrate tries when nobody says how long.
const migrateTime = 5 * time.Second

// Migrate moves the link to a node to another local address, for when the network
// beneath has changed: nothing that is on its way is lost or overtaken, streams go on,
// and no member is down for it. Without a deadline in ctx it has 5 s.
func (n *Node) Migrate(ctx context.Context, node name.Node) (Moved, error) {
	l, err := n.current()
	if err != nil {
		return Moved{}, err
	}
	return l.migrate(ctx, node)
}

func (l *life) migrate(ctx context.Context, node name.Node) (Moved, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, migrateTime)
		defer cancel()
	}
	m, err := l.links.Migrate(ctx, node)
	l.meters.Moved(err == nil)
	if err != nil {
		return m, err
	}
	l.publish("link", "moved", node, "", map[string]string{"from": m.From.String(), "to": m.To.String()})
	return m, nil
}

// Migrate moves a link.
func (c control) Migrate(ctx context.Context, node name.Node) (admin.Migration, error) {
	m, err := c.migrate(ctx, node)
	if errors.Is(err, ErrNoLink) {
		return admin.Migration{}, &admin.Error{Kind: admin.KindNotFound, Text: err.Error()}
	}
	return admin.Migration{Node: node, From: m.From, To: m.To, Redialed: m.Redialed}, explain(err)
}
