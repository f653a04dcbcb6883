package core

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

const (
	// roamCheck is how often a node looks whether its machine has moved: soon enough that
	// links are made anew before anybody takes them for silent.
	roamCheck = 500 * time.Millisecond
	// maxRoaming bounds how many links move at the same time.
	maxRoaming = 16
)

// roam moves links by themselves when this machine gets another address, each as Migrate
// does. One that cannot move is tried again as long as it lasts.
func (l *life) roam(ctx context.Context) {
	ticker := time.NewTicker(roamCheck)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			l.moveAll(ctx, l.links.Astray())
		case <-ctx.Done():
			return
		}
	}
}

// moveAll moves the links to some nodes and returns when all have been tried.
func (l *life) moveAll(ctx context.Context, nodes []name.Node) {
	var moving sync.WaitGroup
	places := make(chan struct{}, maxRoaming)
	for _, node := range nodes {
		places <- struct{}{}
		moving.Go(func() {
			l.follow(ctx, node)
			<-places
		})
	}
	moving.Wait()
}

// follow moves one link.
func (l *life) follow(ctx context.Context, node name.Node) {
	m, err := l.migrate(ctx, node)
	if err == nil {
		l.log.Info("link moved with this machine", "peer", node, "from", m.From, "to", m.To, "redialed", m.Redialed)
	} else if !errors.Is(err, ErrNoLink) && ctx.Err() == nil {
		l.log.Warn("link did not move with this machine", "peer", node, "error", err)
	}
}
