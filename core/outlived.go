package core

import (
	"context"
	"sync"

	"github.com/barrelp2p/barrel/core/block/link"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// linkedLives is which life of each linked member is linked. Nothing is called with its lock
// held, so links and membership may ask whatever locks they hold themselves. Who is no member proved
// no key, or takes no part: what members say of the name may be about somebody else.
type linkedLives struct {
	mu    sync.Mutex
	lives map[name.Node]uint64
}

func (l *linkedLives) up(p link.Peer) {
	if !isMember(p) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lives == nil {
		l.lives = map[name.Node]uint64{}
	}
	l.lives[p.Node] = p.Incarnation
}

func (l *linkedLives) down(p link.Peer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.lives, p.Node)
}

// before reports whether a life before that one is linked.
func (l *linkedLives) before(node name.Node, incarnation uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	linked, found := l.lives[node]
	return found && linked < incarnation
}

// outlive ends the link to an earlier life of a member that is up: it has started again, so
// nobody will answer there, and while the link stands no other to the node is made. A
// membership may say so with a lock held that it takes when the link falls, so this is done
// apart.
func (l *life) outlive(e membership.Event) {
	if l.linkedLives.before(e.Node, e.Incarnation) {
		l.tasks.Go("outlived", func(context.Context) { l.links.Outlived(e.Node, e.Incarnation) })
	}
}
