package ownerlog

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// Signature is an Ed25519 signature.
type Signature [64]byte

// Head says where a log stands after a batch, in the owner's own words.
type Head struct {
	Owner name.Node
	Inc   uint64 // incarnation of the owner
	Seq   uint64 // number of the batch; 0: before the first
	Ops   Digest // of the operations of the batch
	State Digest // of all that is live after it
	Sig   Signature
}

// Context is what the signed text begins with.
const Context = "barrel ownerlog 1"

// Message is the text that the owner signs.
func (h *Head) Message() []byte {
	b := make([]byte, 0, len(Context)+len(h.Owner.String())+3*binary.MaxVarintLen64+2*len(h.State))
	b = appendPlace(append(b, Context...), h)
	b = append(b, h.Ops[:]...)
	return append(b, h.State[:]...)
}

// appendPlace appends what the drawing calls head.
func appendPlace(b []byte, h *Head) []byte {
	b = appendText(b, h.Owner.String())
	b = binary.AppendUvarint(b, h.Inc)
	return binary.AppendUvarint(b, h.Seq)
}

// Compare orders two heads of one owner: the later is the greater. Heads that an owner
// signed twice for one number are ordered by their digest, so that all replicas choose the
// same.
func (h *Head) Compare(other *Head) int {
	return cmp.Or(cmp.Compare(h.Inc, other.Inc), cmp.Compare(h.Seq, other.Seq), bytes.Compare(h.State[:], other.State[:]))
}

// Tag is the beginning of the digest, for marks.
func (h *Head) Tag() uint64 { return binary.BigEndian.Uint64(h.State[:]) }

// Op is one operation of a batch.
type Op struct {
	Key    string
	Val    string // of a removal: the reason, for those who hear of it
	Remove bool
}

func (o *Op) size() int { return len(o.Key) + len(o.Val) + 8 }

// Batch is what an owner did at once. It does not change once it is sealed.
type Batch struct {
	Head Head
	Ops  []Op
}

func (b *Batch) size() int {
	n := 256
	for i := range b.Ops {
		n += b.Ops[i].size()
	}
	return n
}

func appendOps(b []byte, ops []Op) []byte {
	b = binary.AppendUvarint(b, uint64(len(ops)))
	for i := range ops {
		kind := byte(0)
		if ops[i].Remove {
			kind = 1
		}
		b = appendText(appendText(append(b, kind), ops[i].Key), ops[i].Val)
	}
	return b
}

// digestOps is the digest of operations as they travel.
func digestOps(ops []Op) Digest { return sha256.Sum256(appendOps(nil, ops)) }
