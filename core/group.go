package core

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// groupPrefix is where groups stand among the services.
const groupPrefix = "_pg/"

// joinsKey says how often a member has joined.
const joinsKey = "joins"

// Group is a set of processes of any nodes. Each node knows the members by itself:
// what a node has heard last, and all nodes the same in the end. A member leaves with
// its process, and the members of a node that is down are not seen. All methods are safe
// for concurrent use.
type Group struct {
	node    *Node
	text    string
	service name.Service
}

// Group is a handle on a group. Its name is like that of a service, so that "chat/red"
// is in the scope "chat/".
func (n *Node) Group(group string) (*Group, error) {
	service, err := name.ParseService(groupPrefix + group)
	if err != nil {
		return nil, fmt.Errorf("group %q: %w", group, err)
	}
	return &Group{node: n, text: group, service: service}, nil
}

// Groups lists the groups with members whose names start with prefix.
func (n *Node) Groups(prefix string) (groups []string) {
	for _, c := range n.List(groupPrefix + prefix) {
		groups = append(groups, strings.TrimPrefix(c.Service.String(), groupPrefix))
	}
	return groups
}

// joints are the memberships of this node's own processes.
type joints struct {
	mu  sync.Mutex
	all map[joinKey]*joint
}

type joinKey struct {
	service name.Service
	ref     name.Ref
}

type joint struct {
	reg   *Registration
	times int
}

// Name is the name of the group.
func (g *Group) Name() string { return g.text }

// Join makes a process of this node a member. One that joins several times counts as
// often, and has to leave as often.
func (g *Group) Join(ctx context.Context, proc *Process) error {
	l, err := g.node.current()
	if err != nil {
		return err
	}
	l.joints.mu.Lock()
	defer l.joints.mu.Unlock()
	key := joinKey{g.service, proc.Ref()}
	if j := l.joints.all[key]; j != nil && !j.over() {
		j.times++
		return j.reg.Update(ctx, joins(j.times))
	}
	reg, err := g.node.Offer(ctx, g.service, joins(1), proc)
	if err != nil {
		return fmt.Errorf("group %s: %w", g.text, err)
	}
	if l.joints.all == nil {
		l.joints.all = map[joinKey]*joint{}
	}
	l.joints.all[key] = &joint{reg: reg, times: 1}
	l.tasks.Go("group", func(ctx context.Context) { l.forgetJoint(ctx, key, reg) })
	return nil
}

func (j *joint) over() bool {
	select {
	case <-j.reg.Done():
		return true
	default:
		return false
	}
}

func joins(n int) map[string]string { return map[string]string{joinsKey: strconv.Itoa(n)} }

func (l *life) forgetJoint(ctx context.Context, key joinKey, reg *Registration) {
	select {
	case <-reg.Done():
	case <-ctx.Done():
	}
	l.joints.mu.Lock()
	defer l.joints.mu.Unlock()
	if j := l.joints.all[key]; j != nil && j.reg == reg {
		delete(l.joints.all, key)
	}
}

// Leave takes one membership of a process of this node back; ErrNotFound if it has none.
func (g *Group) Leave(ctx context.Context, proc *Process) error {
	l, err := g.node.current()
	if err != nil {
		return err
	}
	l.joints.mu.Lock()
	defer l.joints.mu.Unlock()
	key := joinKey{g.service, proc.Ref()}
	j := l.joints.all[key]
	if j == nil || j.over() {
		return fmt.Errorf("group %s: %s is no member: %w", g.text, proc.Ref(), ErrNotFound)
	}
	if j.times--; j.times > 0 {
		return j.reg.Update(ctx, joins(j.times))
	}
	delete(l.joints.all, key)
	return j.reg.Close()
}

// Members lists the members of all nodes, those of this node first; one that has joined
// several times as often.
func (g *Group) Members() []name.Ref { return refs(g.node.Lookup(g.service)) }

// Local lists the members of this node.
func (g *Group) Local() []name.Ref { return refs(g.node.LookupLocal(g.service)) }

func refs(entries []registry.Entry) (out []name.Ref) {
	for _, e := range entries {
		times, err := strconv.Atoi(e.Meta[joinsKey])
		if err != nil {
			times = 1
		}
		for range min(max(times, 1), 1<<10) { // what others say is bounded
			out = append(out, e.Ref)
		}
	}
	return out
}

// Targets is Members for Multicall and CastAll.
func (g *Group) Targets() (targets []Target) {
	for _, ref := range g.Members() {
		targets = append(targets, Target{Node: ref.Node, Ref: ref})
	}
	return targets
}

// Broadcast casts a value to every member, and returns to how many.
func Broadcast[T any](g *Group, value T) (int, error) {
	targets := g.Targets()
	return len(targets), CastAll(g.node, targets, value)
}

// Watch follows who joins and leaves: first who is there, then Synced, then what
// happens; see Node.Watch. It must be closed.
func (g *Group) Watch() (*Watcher, error) {
	l, err := g.node.current()
	if err != nil {
		return nil, err
	}
	return l.services.WatchOne(g.service), nil
}
