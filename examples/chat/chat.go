package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// chat is one node's part in it: the rooms it hosts, and itself as a member of others.
type chat struct {
	node   *core.Node
	me     *core.Registration // what rooms send to
	cancel context.CancelFunc
	ctx    context.Context // of what runs beside the console
	run    sync.WaitGroup

	mu     sync.Mutex
	out    io.Writer
	hosts  map[string]*room
	joined map[string]name.Ref // rooms that this member is in
}

// open makes the node a member, and begins to tell which rooms there are.
func open(ctx context.Context, n *core.Node, out io.Writer) (*chat, error) {
	c := &chat{node: n, out: out, hosts: map[string]*room{}, joined: map[string]name.Ref{}}
	c.ctx, c.cancel = context.WithCancel(ctx)
	service, err := name.ParseService(members + n.Name().Base())
	if err != nil {
		return nil, err
	}
	if c.me, err = n.Register(ctx, service, nil, c.hear); err != nil {
		return nil, err
	}
	w, err := n.Watch(rooms)
	if err != nil {
		return nil, err
	}
	c.run.Go(func() { c.follow(w) })
	return c, nil
}

func (c *chat) close() {
	c.cancel()
	c.run.Wait()
}

func (c *chat) print(format string, args ...any) { c.show(fmt.Sprintf(format, args...) + "\n") }

func (c *chat) show(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = io.WriteString(c.out, text)
}

// hear takes what rooms tell.
func (c *chat) hear(_ context.Context, m core.Message) (any, error) {
	var n notice
	if err := json.Unmarshal(m.Bytes(), &n); err != nil {
		return nil, err
	}
	if n.From.IsZero() {
		c.print("[%s] *** %s", n.Room, n.Text)
	} else {
		c.print("[%s] <%s> %s", n.Room, n.From, n.Text)
	}
	return nil, nil
}

// follow tells of rooms as they open and close, here and elsewhere.
func (c *chat) follow(w *core.Watcher) {
	defer w.Close()
	for {
		e, err := w.Next(c.ctx)
		if err != nil {
			return
		}
		title := strings.TrimPrefix(e.Entry.Service.String(), rooms)
		switch e.Type {
		case registry.Registered:
			c.print("*** room %s available on %s", title, e.Entry.Ref.Node)
		case registry.Unregistered, registry.EntryDown:
			c.lost(title, e.Entry.Ref, e.Reason)
		}
	}
}

func (c *chat) lost(title string, ref name.Ref, why string) {
	c.mu.Lock()
	inside := c.joined[title] == ref
	if inside {
		delete(c.joined, title)
	}
	c.mu.Unlock()
	text := fmt.Sprintf("*** room %s left %s", title, ref.Node)
	if why != "" {
		text += ": " + why
	}
	if inside {
		text += "; you are out"
	}
	c.print("%s", text)
}

// create opens a room here.
func (c *chat) create(title string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hosts[title] != nil {
		return fmt.Errorf("room %s is open here already", title)
	}
	r, err := openRoom(c.ctx, c.node, title)
	if err != nil {
		return err
	}
	c.hosts[title] = r
	c.run.Go(r.follow)
	return nil
}

// shut closes a room that is hosted here.
func (c *chat) shut(title string) error {
	c.mu.Lock()
	r := c.hosts[title]
	delete(c.hosts, title)
	c.mu.Unlock()
	if r == nil {
		return fmt.Errorf("room %s is not hosted here", title)
	}
	return r.close()
}

// ask asks a room, wherever it is.
func (c *chat) ask(title, op, text string) ([]byte, name.Ref, error) {
	service, err := name.ParseService(rooms + title)
	if err != nil {
		return nil, name.Ref{}, err
	}
	handle := c.node.Service(service, core.Retries(3))
	at, err := handle.Instance(c.ctx)
	if err != nil {
		return nil, name.Ref{}, err
	}
	payload, err := json.Marshal(request{Op: op, Who: c.me.Ref(), Text: text})
	if err != nil {
		return nil, name.Ref{}, err
	}
	answer, err := handle.Call(c.ctx, payload)
	return answer, at.Ref, err
}

func (c *chat) join(title string) error {
	_, at, err := c.ask(title, "join", "")
	if err == nil {
		c.mu.Lock()
		c.joined[title] = at
		c.mu.Unlock()
	}
	return err
}

func (c *chat) leave(title string) error {
	_, _, err := c.ask(title, "leave", "")
	c.mu.Lock()
	delete(c.joined, title)
	c.mu.Unlock()
	return err
}

func (c *chat) say(title, text string) error {
	_, _, err := c.ask(title, "say", text)
	return err
}

// who lists the members of a room.
func (c *chat) who(title string) ([]string, error) {
	answer, _, err := c.ask(title, "who", "")
	if err != nil {
		return nil, err
	}
	var refs []name.Ref
	if err := json.Unmarshal(answer, &refs); err != nil {
		return nil, err
	}
	var nodes []string
	for _, ref := range refs {
		nodes = append(nodes, ref.Node.String())
	}
	slices.Sort(nodes)
	return nodes, nil
}

// titles lists the rooms of all nodes.
func (c *chat) titles() (list []string) {
	for _, count := range c.node.List(rooms) {
		list = append(list, strings.TrimPrefix(count.Service.String(), rooms))
	}
	return list
}
