package core

import (
	"context"
	"errors"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

const (
	// roamCheck is how often a node looks whether its machine has moved: soon enough that
	// links are made anew before anybody takes them for silent.
	roamCheck = 500 * time.Millisecond
	// roamTime is what one attempt has: with the look before it, less than the silence that
	// a peer puts up with.
	roamTime = 2 * time.Second
	// maxRoaming bounds how many links move at the same time.
	maxRoaming = 128
	// The pause after an attempt doubles from the first to the last, for as long as the
	// link is astray.
	firstRoamPause = 500 * time.Millisecond
	lastRoamPause  = time.Minute
)

// roam moves links by themselves when this machine gets another address, each as Migrate
// does.
func (l *life) roam(ctx context.Context) {
	r := &roamer{
		astray: l.links.Astray,
		follow: l.follow,
		start:  func(run func(context.Context)) bool { return l.tasks.Go("roam", run) },
		ended:  make(chan name.Node, maxRoaming),
	}
	r.run(ctx)
}

func (l *life) follow(ctx context.Context, node name.Node, again bool) {
	m, err := l.migrate(ctx, node)
	l.tellMoved(ctx, node, m, err, again)
}

// tellMoved says what came of an attempt; failures loudly but once.
func (l *life) tellMoved(ctx context.Context, node name.Node, m Moved, err error, again bool) {
	switch {
	case err == nil:
		l.log.Info("link moved with this machine", "peer", node, "from", m.From, "to", m.To, "redialed", m.Redialed)
	case errors.Is(err, ErrNoLink), errors.Is(ctx.Err(), context.Canceled): // nobody cares any more
	case again:
		l.log.Debug("link did not move with this machine", "peer", node, "error", err)
	default:
		l.log.Warn("link did not move with this machine", "peer", node, "error", err)
	}
}

// roamer says when which link is moved. It is of one goroutine; the attempts have one
// each, so that a link that takes long keeps no other waiting.
type roamer struct {
	astray func() []name.Node
	follow func(ctx context.Context, node name.Node, again bool)
	start  func(run func(context.Context)) bool
	ended  chan name.Node
	links  map[name.Node]*straying
	moving int
}

// straying is a link that is astray, or that is being moved.
type straying struct {
	moving bool
	tries  int
	next   time.Time
}

func (r *roamer) run(ctx context.Context) {
	ticker := time.NewTicker(roamCheck)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			r.look()
			r.move()
		case node := <-r.ended:
			r.done(node)
			r.move()
		case <-ctx.Done():
			return
		}
	}
}

// look notes which links are astray now, and forgets those that are not any more.
func (r *roamer) look() {
	links := map[name.Node]*straying{}
	for node, s := range r.links {
		if s.moving {
			links[node] = s
		}
	}
	for _, node := range r.astray() {
		if links[node] = r.links[node]; links[node] == nil {
			links[node] = &straying{}
		}
	}
	r.links = links
}

// move begins to move the links whose time has come, as many as may.
func (r *roamer) move() {
	now := time.Now()
	for node, s := range r.links {
		if r.moving >= maxRoaming {
			return
		}
		if !s.moving && !now.Before(s.next) && r.begin(node, s.tries > 0) {
			s.moving = true
			r.moving++
		}
	}
}

func (r *roamer) begin(node name.Node, again bool) bool {
	return r.start(func(ctx context.Context) {
		defer func() { r.ended <- node }() // there is room for all
		ctx, cancel := context.WithTimeout(ctx, roamTime)
		defer cancel()
		r.follow(ctx, node, again)
	})
}

// done notes the end of an attempt. One that went well is the last, as the next look
// finds that the link is not astray.
func (r *roamer) done(node name.Node) {
	s := r.links[node]
	r.moving--
	s.moving = false
	s.next = time.Now().Add(min(firstRoamPause<<min(s.tries, 10), lastRoamPause))
	s.tries++
}
