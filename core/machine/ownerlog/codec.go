package ownerlog

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// Limits of what travels. Values are the host's; these bound what a decoder takes.
const (
	MaxKey   = 512       // bytes of a key
	MaxVal   = 80 << 10  // bytes of a value
	MaxBatch = 96 << 10  // bytes of the operations of a batch, about
	maxOps   = 16 << 10  // operations of a batch
	maxWire  = 128 << 10 // bytes of an encoded batch
)

// ErrFrame is the kind of every decoding error.
var ErrFrame = errors.New("bad owner log frame")

const (
	recordBatch = 'B'
	recordHead  = 'H'
	recordEntry = 'E'
)

// AppendBatch appends a batch as the package comment draws it.
func AppendBatch(b []byte, batch *Batch) []byte {
	h := &batch.Head
	b = appendPlace(append(b, recordBatch), h)
	b = append(b, h.State[:]...)
	b = append(b, h.Sig[:]...)
	return appendOps(b, batch.Ops)
}

// DecodeBatch reads a batch that anybody may have written. The error wraps ErrFrame.
func DecodeBatch(data []byte) (*Batch, error) {
	r := reader{rest: data}
	if len(data) > maxWire || r.kind() != recordBatch {
		return nil, fmt.Errorf("%w: %d bytes are no batch", ErrFrame, len(data))
	}
	b := r.batch()
	if r.bad || len(r.rest) > 0 {
		return nil, fmt.Errorf("%w: batch of %d bytes does not parse", ErrFrame, len(data))
	}
	return b, nil
}

// AppendHead appends the beginning of a snapshot of count entries.
func AppendHead(b []byte, h *Head, count int) []byte {
	b = appendPlace(append(b, recordHead), h)
	b = append(b, h.Ops[:]...)
	b = append(b, h.Sig[:]...)
	return binary.AppendUvarint(b, uint64(count))
}

// AppendItem appends an entry of a snapshot.
func AppendItem(b []byte, i *Item) []byte {
	return appendText(appendText(append(b, recordEntry), i.Key), i.Val)
}

// reader takes fields off a byte slice; after the first that does not fit it is bad and
// yields zeros. short says that more bytes might have helped.
type reader struct {
	rest  []byte
	bad   bool
	short bool
}

func (r *reader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.rest)) {
		r.short = r.short || !r.bad
		r.bad = true
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) kind() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) number() uint64 {
	n, width := binary.Uvarint(r.rest)
	switch {
	case r.bad:
		return 0
	case width == 0:
		r.bad, r.short = true, true
		return 0
	case width < 0 || width > 1 && r.rest[width-1] == 0:
		r.bad = true
		return 0
	}
	r.rest = r.rest[width:]
	return n
}

func (r *reader) text(most uint64) string {
	n := r.number()
	if n > most {
		r.bad = true
	}
	return string(r.take(n))
}

func (r *reader) key() string {
	k := r.text(MaxKey)
	if k == "" {
		r.bad = true
	}
	return k
}

func (r *reader) digest() (d Digest) {
	copy(d[:], r.take(uint64(len(d))))
	return d
}

func (r *reader) head() (h Head) {
	text := r.text(name.MaxNode)
	if r.bad {
		return h
	}
	owner, err := name.ParseNode(text)
	if err != nil || owner.String() != text {
		r.bad = true
		return h
	}
	h.Owner, h.Inc, h.Seq = owner, r.number(), r.number()
	return h
}

func (r *reader) batch() *Batch {
	b := &Batch{Head: r.head()}
	b.Head.State = r.digest()
	copy(b.Head.Sig[:], r.take(uint64(len(b.Head.Sig))))
	n := r.number()
	if n > maxOps || b.Head.Seq == 0 {
		r.bad = true
	}
	if r.bad || n > uint64(len(r.rest))/3 {
		r.bad, r.short = true, r.short || !r.bad
		return b
	}
	for range n {
		if op := r.op(); !r.bad {
			b.Ops = append(b.Ops, op)
		}
	}
	b.Head.Ops = digestOps(b.Ops)
	return b
}

func (r *reader) op() (op Op) {
	kind := r.kind()
	if kind > 1 {
		r.bad = true
	}
	op.Remove, op.Key, op.Val = kind == 1, r.key(), r.text(MaxVal)
	return op
}
