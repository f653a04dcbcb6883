package wire

import (
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/proto/pluginv1"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// LentRegistry is the plugin's side of what a host lends to a registry: its environment.
type LentRegistry struct {
	*Lent

	events *outlet[registry.Event]

	keys keyCache
}

var _ registry.Network = (*LentRegistry)(nil)

// NewLentRegistry returns what is not lent yet.
func NewLentRegistry() *LentRegistry {
	return &LentRegistry{Lent: newLent(), events: newOutlet[registry.Event](), keys: keyCache{known: map[name.Node]cachedKey{}}}
}

// Env completes an environment with what is lent.
func (l *LentRegistry) Env(env plugin.Env) registry.Env {
	return registry.Env{Env: env, Network: l, Signer: l.Lent, Emit: l.events.put}
}

// Neighbours asks the host; nobody while it does not answer.
func (l *LentRegistry) Neighbours() []name.Node {
	answer, err := l.now(&pluginv1.Question{Question: &pluginv1.Question_Neighbours{Neighbours: &pluginv1.ListNeighbours{}}})
	if err != nil {
		return nil
	}
	nodes, err := nodesFromWire(answer.GetTexts())
	if err != nil {
		return nil
	}
	return nodes
}

// Key asks the host, or is what it said within the last second; an event about the
// member ends that.
func (l *LentRegistry) Key(node name.Node) (trust.Key, bool) {
	if key, known := l.keys.get(node); known {
		return key, true
	}
	answer, err := l.now(&pluginv1.Question{Question: &pluginv1.Question_Key{Key: &pluginv1.MemberKey{Node: node.String()}}})
	if err != nil || !answer.GetKnown() {
		return trust.Key{}, false
	}
	key, err := keyFromWire(answer.GetData())
	if err != nil {
		return key, false
	}
	l.keys.put(node, key)
	return key, true
}

// RTT asks the host.
func (l *LentRegistry) RTT(node name.Node) time.Duration {
	answer, err := l.now(&pluginv1.Question{Question: &pluginv1.Question_Rtt{Rtt: &pluginv1.RoundTrip{Node: node.String()}}})
	if err != nil {
		return 0
	}
	return answer.GetRtt().AsDuration()
}

// keyCache keeps what was answered for a moment: a registry that catches up asks for
// the same keys again and again.
type keyCache struct {
	mu    sync.Mutex
	known map[name.Node]cachedKey
}

type cachedKey struct {
	key trust.Key
	at  time.Time
}

const (
	keysKept = 1 << 14
	keysFor  = time.Second
)

func (c *keyCache) get(node name.Node) (trust.Key, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, known := c.known[node]
	return k.key, known && time.Since(k.at) < keysFor
}

func (c *keyCache) put(node name.Node, key trust.Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= keysKept {
		clear(c.known)
	}
	c.known[node] = cachedKey{key, time.Now()}
}

func (c *keyCache) forget(node name.Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, node)
}
