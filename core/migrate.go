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
	ErrFixed    = link.ErrFixed    // this link can never move, until it has been made anew
	ErrPathDead = link.ErrPathDead // not this time, for the reason that is wrapped too; the old path is used on
)

// migrateTime is for how long Migrate tries when nobody says how long.
const migrateTime = 5 * time.Second

// Migrate moves the link to a node to another local address, for when the network
// beneath has changed: no message that is on its way is lost or overtaken, and no member
// is down for it. The end that dialed takes the connection along, with its streams; the
// other makes another one, beside which the one before is kept for the streams that are
// open on it: they go on where they are, and end with ErrStreamLost if the old path is
// dead. Without a deadline in ctx it has 5 s.
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
