package process

import (
	"hash/fnv"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// Target is whom a message is for: a process of a node, by reference or by the name
// of a service there.
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

// shard chooses the stream: the same for each pair of sender and target, as the target
// is written. There is no order between what is sent to a process by its reference and
// by its name.
func (t Target) shard(from name.Ref) uint8 {
	h := fnv.New32a()
	var id [16]byte
	for i := range 8 {
		id[i] = byte(from.ID >> (8 * i))
		id[8+i] = byte(t.Ref.ID >> (8 * i))
	}
	_, _ = h.Write(id[:])
	_, _ = h.Write([]byte(t.Service.String()))
	return uint8(h.Sum32() % shards)
}
