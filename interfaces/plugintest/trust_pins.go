package plugintest

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// TrustPins is a pin store in memory that can be told to break. It keeps the contract
// of trust.Pins; safe for concurrent use.
type TrustPins struct {
	mu     sync.Mutex
	pins   map[name.Node]trust.Pin
	reads  error
	writes error
	awaits int
	opened chan struct{}
}

var _ trust.Pins = (*TrustPins)(nil)

// NewTrustPins returns an empty store.
func NewTrustPins() *TrustPins {
	return &TrustPins{pins: map[name.Node]trust.Pin{}}
}

// Lookup returns the pin of node.
func (p *TrustPins) Lookup(node name.Node) (trust.Pin, bool, error) {
	pin, found, err := p.lookup(node)
	p.meet()
	return pin, found, err
}

func (p *TrustPins) lookup(node name.Node) (trust.Pin, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reads != nil {
		return trust.Pin{}, false, p.reads
	}
	pin, found := p.pins[node]
	return pin, found, nil
}

// PinIfAbsent pins key for node unless a pin exists.
func (p *TrustPins) PinIfAbsent(node name.Node, key trust.Key, source string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reads != nil {
		return p.reads
	}
	if pin, found := p.pins[node]; found {
		if pin.Key == key {
			return nil
		}
		return fmt.Errorf("pin of %s: %w", node, trust.ErrKeyMismatch)
	}
	if p.writes != nil {
		return p.writes
	}
	p.pins[node] = trust.Pin{Node: node, Key: key, Pinned: time.Now().UTC(), Source: source}
	return nil
}

// Put pins key for node as an operator does: it replaces what was pinned.
func (p *TrustPins) Put(node name.Node, key trust.Key, source string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pins[node] = trust.Pin{Node: node, Key: key, Pinned: time.Now().UTC(), Source: source}
}

// Remove removes the pin of node, if any, as an operator does.
func (p *TrustPins) Remove(node name.Node) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.pins, node)
}

// All returns every pin, ordered by node.
func (p *TrustPins) All() []trust.Pin {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]trust.Pin, 0, len(p.pins))
	for _, pin := range p.pins {
		all = append(all, pin)
	}
	slices.SortFunc(all, func(a, b trust.Pin) int { return a.Node.Compare(b.Node) })
	return all
}

// FailReads makes the store unreadable, for this reason; nil mends it.
func (p *TrustPins) FailReads(reason error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reads = reason
}

// FailWrites makes the store unwritable, for this reason; nil mends it.
func (p *TrustPins) FailWrites(reason error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writes = reason
}

// Together holds the answers of the next n lookups back until all n have come, or a quarter of
// Patience has passed, so that n deciders have all seen the same store before one of
// them acts.
func (p *TrustPins) Together(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.awaits, p.opened = n, make(chan struct{})
}

// meet waits for the others that Together asked for. One that waits in vain opens the
// gate for all.
func (p *TrustPins) meet() {
	opened := p.arrive(1)
	if opened == nil {
		return
	}
	select {
	case <-opened:
	case <-time.After(Patience / 4):
		p.arrive(trustAll)
	}
}

// trustAll is more than any number of lookups that are waited for.
const trustAll = 1 << 30

// arrive counts lookups in and opens the gate with the last; nil: there is none.
func (p *TrustPins) arrive(n int) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.awaits == 0 {
		return nil
	}
	p.awaits = max(0, p.awaits-n)
	if p.awaits == 0 {
		close(p.opened)
	}
	return p.opened
}

// key is the pinned key of node, the zero key if there is none.
func (p *TrustPins) key(node name.Node) trust.Key {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pins[node].Key
}
