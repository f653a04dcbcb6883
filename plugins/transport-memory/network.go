package transportmemory

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// Network is what the nodes of one process are connected to. Its zero value is not
// usable. All methods are safe for concurrent use.
//
// Locks are taken in the order network, wire, and none is held while something waits.
type Network struct {
	mu     sync.Mutex
	nodes  map[name.Address]*life
	wires  map[*wire]struct{}
	faults map[pair]fault
}

// pair is two nodes, the smaller one first.
type pair struct{ a, b name.Node }

type fault int

const (
	whole   fault = iota
	cut           // nothing arrives
	refused       // new connections fail at once, those that are up go on
)

// dialTimeout is for how long a dial into the void waits.
const dialTimeout = 2 * time.Second

// NewNetwork returns a network without nodes.
func NewNetwork() *Network {
	return &Network{nodes: map[name.Address]*life{}, wires: map[*wire]struct{}{}, faults: map[pair]fault{}}
}

func pairOf(a, b name.Node) pair {
	if a.Compare(b) > 0 {
		a, b = b, a
	}
	return pair{a, b}
}

// Cut lets nothing pass between a and b from now on, in both directions, and tells
// neither. What streams carry arrives after Heal, as with a network that retransmits;
// datagrams are lost. A connection that stays cut for long ends with ErrSilent.
func (n *Network) Cut(a, b name.Node) {
	for _, w := range n.fault(a, b, cut) {
		w.sever()
	}
}

// Refuse makes dials between a and b fail at once. Connections that are up go on.
func (n *Network) Refuse(a, b name.Node) { n.restore(a, b, refused) }

// Heal undoes Cut and Refuse.
func (n *Network) Heal(a, b name.Node) { n.restore(a, b, whole) }

func (n *Network) restore(a, b name.Node, f fault) {
	for _, w := range n.fault(a, b, f) {
		w.mend()
	}
}

// fault notes what is between a and b and returns the wires it concerns.
func (n *Network) fault(a, b name.Node, f fault) []*wire {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := pairOf(a, b)
	n.faults[p] = f
	if f == whole {
		delete(n.faults, p)
	}
	var wires []*wire
	for w := range n.wires {
		if w.pair() == p {
			wires = append(wires, w)
		}
	}
	return wires
}

func (n *Network) attach(l *life, listen string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if listen == "" {
		l.address = n.free()
		n.nodes[l.address] = l
		return nil
	}
	addr, err := name.ParseAddress(listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if n.nodes[addr] != nil {
		return fmt.Errorf("listen %s: taken by %s: choose another, or leave it empty", addr, n.nodes[addr].node.env.Node)
	}
	l.address = addr
	n.nodes[addr] = l
	return nil
}

func (n *Network) free() name.Address {
	for port := 1; ; port++ {
		addr := name.MustAddress("mem:" + strconv.Itoa(port))
		if n.nodes[addr] == nil {
			return addr
		}
	}
}

// detach gives the address of l back and returns the wires that l has.
func (n *Network) detach(l *life) []*wire {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.nodes, l.address)
	var wires []*wire
	for w := range n.wires {
		if w.ends[0].life == l || w.ends[1].life == l {
			wires = append(wires, w)
		}
	}
	return wires
}

func (n *Network) forget(w *wire) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.wires, w)
}

func (n *Network) connect(ctx context.Context, from *life, addr name.Address) (*end, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e, between, err := n.plug(from, addr)
	if err != nil && between == cut {
		return nil, wait(ctx, from)
	}
	return e, err
}

// plug makes the wire, or says what is in the way.
func (n *Network) plug(from *life, addr name.Address) (*end, fault, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	to := n.nodes[addr]
	if to == nil {
		return nil, whole, fmt.Errorf("no node of this network listens there: %w", transport.ErrUnreachable)
	}
	if n.nodes[from.address] != from {
		return nil, whole, transport.ErrClosed
	}
	if between := n.faults[pairOf(from.node.env.Node, to.node.env.Node)]; between != whole {
		return nil, between, transport.ErrUnreachable
	}
	w := newWire(n, from, to)
	select {
	case to.accepts <- w.ends[1]:
	default:
		w.discard()
		return nil, whole, &transport.CloseError{Remote: true, Code: transport.CloseBusy, Reason: "too many connections wait"}
	}
	n.wires[w] = struct{}{}
	return w.ends[0], whole, nil
}

// wait is a dial that nobody answers.
func wait(ctx context.Context, from *life) error {
	timer := time.NewTimer(dialTimeout)
	defer timer.Stop()
	select {
	case <-timer.C:
		return transport.ErrUnreachable
	case <-from.ctx.Done():
		return transport.ErrClosed
	case <-ctx.Done():
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", transport.ErrUnreachable, ctx.Err())
	}
	return ctx.Err()
}
