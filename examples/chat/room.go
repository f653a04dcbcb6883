package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// Names of services: everything below rooms is a room, below members a member.
const (
	rooms   = "chat_room/"
	members = "chat_member/"
)

// request is what a member asks of a room.
type request struct {
	Op   string   `json:"op"` // join, leave, say, who
	Who  name.Ref `json:"who"`
	Text string   `json:"text,omitempty"`
}

// notice is what a room tells its members.
type notice struct {
	Room string    `json:"room"`
	From name.Node `json:"from"` // who said it; zero: the room itself
	Text string    `json:"text"`
}

// room is a process with a name. Its state is who is in it.
type room struct {
	node  *core.Node
	title string
	reg   *core.Registration

	ctx   context.Context // of what runs beside the handler, until the room is closed
	close func() error

	mu     sync.Mutex
	inside []name.Ref // in the order in which they came
}

// openRoom opens a room on this node, until it is closed or ctx ends.
func openRoom(ctx context.Context, n *core.Node, title string) (*room, error) {
	service, err := name.ParseService(rooms + title)
	if err != nil {
		return nil, err
	}
	r := &room{node: n, title: title}
	r.reg, err = n.Register(ctx, service, map[string]string{"created": time.Now().UTC().Format(time.RFC3339)}, r.handle)
	if err != nil {
		return nil, err
	}
	var cancel context.CancelFunc
	r.ctx, cancel = context.WithCancel(ctx)
	r.close = func() error { cancel(); return r.reg.Close() }
	return r, nil
}

// handle is called for one message after another.
func (r *room) handle(ctx context.Context, m core.Message) (any, error) {
	var q request
	if err := json.Unmarshal(m.Bytes(), &q); err != nil {
		return nil, fmt.Errorf("room %s: %w", r.title, err)
	}
	switch q.Op {
	case "join":
		return nil, r.join(ctx, q.Who)
	case "leave":
		r.leave(ctx, q.Who, "left")
	case "say":
		r.tell(ctx, notice{Room: r.title, From: q.Who.Node, Text: q.Text})
	case "who":
		return json.Marshal(r.list())
	default:
		return nil, fmt.Errorf("room %s: no request %q", r.title, q.Op)
	}
	return nil, nil
}

func (r *room) list() []name.Ref {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]name.Ref{}, r.inside...)
}

var errInside = errors.New("already in the room")

func (r *room) join(ctx context.Context, who name.Ref) error {
	r.mu.Lock()
	for _, other := range r.inside {
		if other == who {
			r.mu.Unlock()
			return fmt.Errorf("room %s: %s: %w", r.title, who.Node, errInside)
		}
	}
	r.inside = append(r.inside, who)
	r.mu.Unlock()
	r.tell(ctx, notice{Room: r.title, Text: who.Node.String() + " joined"})
	return nil
}

// leave takes somebody out, if he is in, and tells the others.
func (r *room) leave(ctx context.Context, who name.Ref, why string) {
	r.mu.Lock()
	was := len(r.inside)
	left := r.inside[:0:0]
	for _, other := range r.inside {
		if other != who {
			left = append(left, other)
		}
	}
	r.inside = left
	r.mu.Unlock()
	if len(left) < was {
		r.tell(ctx, notice{Room: r.title, Text: who.Node.String() + " " + why})
	}
}

// tell sends a notice to everybody inside. One who cannot be reached is noticed as dead
// in good time.
func (r *room) tell(ctx context.Context, n notice) {
	payload, err := json.Marshal(n)
	if err != nil {
		return
	}
	for _, who := range r.list() {
		_ = r.node.Send(ctx, who.String(), payload)
	}
}

// follow takes out who has died, until the room is closed: it hears of the end of each
// member's registration.
func (r *room) follow() {
	w, err := r.node.Watch(members)
	if err != nil {
		return
	}
	defer w.Close()
	for {
		e, err := w.Next(r.ctx)
		if err != nil {
			return
		}
		switch e.Type {
		case registry.EntryDown:
			r.leave(r.ctx, e.Entry.Ref, "is gone: "+e.Reason)
		case registry.Unregistered:
			r.leave(r.ctx, e.Entry.Ref, "is gone")
		}
	}
}
