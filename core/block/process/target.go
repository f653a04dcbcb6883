package process

import (
	"github.com/barrelp2p/barrel/interfaces/name"
)

// Target is whom a message is for: a process of a node, by reference or by the name
// of a service there. Targets are comparable.
type Target struct {
	Node    name.Node
	Ref     name.Ref     // if addressed by reference
	Service name.Service // otherwise
}

// ToRef addresses a process by its reference.
func ToRef(ref name.Ref) Target { return Target{Node: ref.Node, Ref: ref} }

// ToName addresses the process behind a service name on one node.
func ToName(node name.Node, service name.Service) Target {
	return Target{Node: node, Service: service}
}

// String is how people write the target.
func (t Target) String() string {
	if !t.Ref.IsZero() {
		return t.Ref.String()
	}
	return t.Service.String() + "@" + t.Node.String()
}

// key tells the targets of one node apart.
func (t Target) key() targetKey {
	return targetKey{incarnation: t.Ref.Incarnation, id: t.Ref.ID, service: t.Service}
}

type targetKey struct {
	incarnation, id uint64
	service         name.Service
}

// shard chooses the stream: the same for each pair of sender and target, as the target
// is written. There is no order between what is sent to a process by its reference and
// by its name.
func (t Target) shard(sender uint64) uint8 {
	const prime, offset = 1099511628211, 14695981039346656037 // FNV-1a
	h := (uint64(offset) ^ sender) * prime
	h = (h ^ t.Ref.ID) * prime
	service := t.Service.String()
	for i := range len(service) {
		h = (h ^ uint64(service[i])) * prime
	}
	return uint8((h ^ h>>32) % shards)
}
