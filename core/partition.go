package core

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// Expected is the set of nodes that should be there. It helps to decide what to do when
// they are not all: that is the application's choice.
type Expected struct {
	node  *Node
	nodes []name.Node
}

// Expect is the set of nodes named and this one, which may be named too.
func (n *Node) Expect(nodes ...name.Node) *Expected {
	all := append(slices.Clone(nodes), n.name)
	slices.SortFunc(all, name.Node.Compare)
	return &Expected{node: n, nodes: slices.Compact(all)}
}

// Presence is who is there of those expected, by name.
type Presence struct {
	Present, Missing []name.Node // of those expected
	Extra            []name.Node // alive and not expected
}

// Whole reports that nobody is missing.
func (p Presence) Whole() bool { return len(p.Missing) == 0 }

// Majority reports that more than half of those expected are present.
func (p Presence) Majority() bool { return 2*len(p.Present) > len(p.Present)+len(p.Missing) }

// Check compares those expected with the members that are alive as far as this node
// knows.
func (e *Expected) Check() (p Presence) {
	alive := e.node.Alive()
	for _, node := range e.nodes {
		if node == e.node.name || slices.Contains(alive, node) {
			p.Present = append(p.Present, node)
		} else {
			p.Missing = append(p.Missing, node)
		}
	}
	for _, node := range alive {
		if !slices.Contains(e.nodes, node) {
			p.Extra = append(p.Extra, node)
		}
	}
	return p
}

// Watch calls changed whenever who is missing has changed, and healed when nobody is any
// more, until ctx ends; both may be nil. It begins with what there is. The error is that
// of ctx, or that the node has stopped.
func (e *Expected) Watch(ctx context.Context, changed, healed func(Presence)) error {
	events := e.node.Subscribe("member")
	defer events.Close()
	var last Presence
	for first := true; ; first = false {
		p := e.Check()
		if changed != nil && (first || !slices.Equal(p.Missing, last.Missing)) {
			changed(p)
		}
		if healed != nil && !first && p.Whole() && !last.Whole() {
			healed(p)
		}
		last = p
		if _, err := events.Next(ctx); err != nil {
			return err
		}
	}
}

// ErrNoMajority: too many have rejected the proposal.
var ErrNoMajority = errors.New("no majority")

// Tally counts the votes on a proposal.
type Tally struct {
	Accepted, Rejected, Silent []name.Node // Silent: no answer, or none yet
}

// voteService is where a node answers proposals.
func voteService(topic string) (name.Service, error) { return name.ParseService("_vote/" + topic) }

// Voter answers proposals on a topic, a service name, with yes or no. The proposals of a
// topic are of one type. When ctx has ended, with the time of the proposer, what decide returns is no
// vote any more. It ends with the process that is returned.
func Voter[P any](n *Node, topic string, decide func(ctx context.Context, proposer name.Node, proposal P) bool) (*Process, error) {
	service, err := voteService(topic)
	if err != nil {
		return nil, err
	}
	proc, err := n.Spawn(Spec{Workers: 16, Handle: func(ctx context.Context, m Message) (any, error) {
		proposal, err := As[P](m)
		if err != nil {
			return nil, err
		}
		yes := decide(ctx, m.From.Node, proposal)
		return yes, ctx.Err() // what is decided too late, perhaps for that reason, is no vote
	}})
	if err != nil {
		return nil, err
	}
	if err := n.Bind(service, proc.Ref()); err != nil {
		proc.Stop()
		return nil, err
	}
	return proc, nil
}

// Propose asks the voters of nodes and returns as soon as it is decided: nil when more
// than half have accepted, ErrNoMajority when that cannot happen any more, the error of
// ctx when it ended before. Each node counts once. A vote is advice: it is kept nowhere,
// and two of them at the same time know nothing of each other.
func Propose[P any](ctx context.Context, n *Node, topic string, nodes []name.Node, proposal P) (t Tally, err error) {
	service, err := voteService(topic)
	if err != nil {
		return t, err
	}
	nodes = slices.Clone(nodes)
	slices.SortFunc(nodes, name.Node.Compare)
	if nodes = slices.Compact(nodes); len(nodes) == 0 {
		return t, fmt.Errorf("proposal %s: %w", topic, errNoVoters)
	}
	asking, cancel := context.WithCancel(ctx)
	defer cancel()
	votes := make(chan Result[bool], len(nodes))
	for _, target := range Everywhere(service, nodes) {
		go func() {
			yes, err := Call[P, bool](asking, n, target, proposal)
			votes <- Result[bool]{target, yes, err}
		}()
	}
	t.Silent = nodes
	for {
		switch {
		case 2*len(t.Accepted) > len(nodes):
			return t, nil
		case 2*(len(t.Accepted)+len(t.Silent)) <= len(nodes):
			return t, fmt.Errorf("proposal %s: %d of %d accepted: %w", topic, len(t.Accepted), len(nodes), ErrNoMajority)
		}
		select {
		case v := <-votes:
			t.count(v)
		case <-ctx.Done():
			return t, fmt.Errorf("proposal %s: %d of %d accepted, %d silent: %w", topic, len(t.Accepted), len(nodes), len(t.Silent), ctx.Err())
		}
	}
}

// count: a node that cannot answer stays silent, and is waited for no longer than ctx
// says, because it may come back.
func (t *Tally) count(v Result[bool]) {
	if v.Err != nil {
		return
	}
	t.Silent = slices.DeleteFunc(slices.Clone(t.Silent), func(node name.Node) bool { return node == v.Target.Node })
	if v.Value {
		t.Accepted = append(t.Accepted, v.Target.Node)
	} else {
		t.Rejected = append(t.Rejected, v.Target.Node)
	}
}
