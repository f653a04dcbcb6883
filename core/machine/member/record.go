package member

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// Sizes in bytes.
const (
	SigSize   = 64
	MaxRecord = 960                 // of a record
	MaxSealed = MaxRecord + SigSize // of one with its signature
)

const (
	protocol     = 'M'
	version      = 1
	head         = 3 + 8 + 4 + 32
	maxEndpoints = 8
)

// ErrRecord is the kind of every error of this package.
var ErrRecord = errors.New("bad member record")

// Record is what a node says of itself.
type Record struct {
	Node        name.Node
	Key         trust.Key
	Cluster     string // 1 to 255 bytes
	Incarnation uint64
	Ref         uint32 // how often it had to say in this life that it lives
	Left        bool   // it has left the cluster by its own word
	Endpoints   []name.Address
}

// Encode is what the node signs.
func (r *Record) Encode() []byte {
	b := append(make([]byte, 0, 256), protocol, version, state(r.Left))
	b = binary.BigEndian.AppendUint64(b, r.Incarnation)
	b = binary.BigEndian.AppendUint32(b, r.Ref)
	b = append(b, r.Key[:]...)
	b = appendText(b, r.Node.String())
	b = appendText(b, r.Cluster)
	at := len(b)
	b = append(b, 0)
	for _, e := range r.Endpoints {
		text := e.String()
		if len(text) > 255 || b[at] == maxEndpoints || len(b)+1+len(text) > MaxRecord {
			break
		}
		b = appendText(b, text)
		b[at]++
	}
	return b
}

func state(left bool) byte {
	if left {
		return 1
	}
	return 0
}

func appendText(b []byte, text string) []byte {
	text = text[:min(len(text), 255)]
	return append(append(b, byte(len(text))), text...)
}

// Seal joins a record with its signature.
func Seal(record []byte, sig [SigSize]byte) []byte {
	return append(append(make([]byte, 0, len(record)+SigSize), record...), sig[:]...)
}

// Split takes a sealed record apart; false if it cannot be one.
func Split(sealed []byte) (record, sig []byte, ok bool) {
	n := len(sealed) - SigSize
	if n <= 0 || n > MaxRecord {
		return nil, nil, false
	}
	return sealed[:n:n], sealed[n:], true
}

// Open decodes a sealed record and checks the signature against the key in it. The
// error wraps ErrRecord.
func Open(sealed []byte) (Record, error) {
	record, sig, ok := Split(sealed)
	if !ok {
		return Record{}, fmt.Errorf("%w: %d bytes", ErrRecord, len(sealed))
	}
	return Verify(record, sig)
}

// Verify decodes a record and checks its signature against the key in it. The error
// wraps ErrRecord.
func Verify(record, sig []byte) (Record, error) {
	r, err := Decode(record)
	if err != nil {
		return Record{}, err
	}
	if len(sig) != SigSize || !trust.Verify(r.Key, trust.ForMembership, record, [SigSize]byte(sig)) {
		return Record{}, fmt.Errorf("%w: not signed by the key of %s", ErrRecord, r.Node)
	}
	return r, nil
}

// Decode reads a record that anybody may have written; it proves nothing. The error
// wraps ErrRecord.
func Decode(data []byte) (Record, error) {
	if len(data) < head || len(data) > MaxRecord || data[0] != protocol || data[1] != version || data[2] > 1 {
		return Record{}, fmt.Errorf("%w: %d bytes that begin with %x", ErrRecord, len(data), data[:min(len(data), 3)])
	}
	r := Record{
		Left: data[2] == 1, Incarnation: binary.BigEndian.Uint64(data[3:]),
		Ref: binary.BigEndian.Uint32(data[11:]), Key: trust.Key(data[15:head]),
	}
	rest := reader{data[head:], false}
	node := rest.text()
	r.Cluster = rest.text()
	endpoints := rest.texts()
	if rest.bad || len(rest.data) > 0 || r.Cluster == "" || r.Key.IsZero() {
		return Record{}, fmt.Errorf("%w: it does not parse", ErrRecord)
	}
	return r, r.parse(node, endpoints)
}

func (r *Record) parse(node string, endpoints []string) (err error) {
	if r.Node, err = name.ParseNode(node); err != nil {
		return fmt.Errorf("%w: %w", ErrRecord, err)
	}
	for _, text := range endpoints {
		e, err := name.ParseAddress(text)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrRecord, err)
		}
		r.Endpoints = append(r.Endpoints, e)
	}
	return nil
}

// Compare orders two records of one node: which counts more.
func (r *Record) Compare(other *Record) int {
	switch {
	case r.Incarnation != other.Incarnation:
		return sign(r.Incarnation > other.Incarnation)
	case r.Ref != other.Ref:
		return sign(r.Ref > other.Ref)
	case r.Left != other.Left:
		return sign(r.Left)
	}
	return 0
}

func sign(more bool) int {
	if more {
		return 1
	}
	return -1
}

// reader takes texts off a byte slice; after the first that does not fit it is bad.
type reader struct {
	data []byte
	bad  bool
}

func (r *reader) byte() int {
	if r.bad || len(r.data) == 0 {
		r.bad = true
		return 0
	}
	n := int(r.data[0])
	r.data = r.data[1:]
	return n
}

func (r *reader) text() string {
	n := r.byte()
	if n > len(r.data) {
		r.bad = true
	}
	if r.bad {
		return ""
	}
	text := string(r.data[:n])
	r.data = r.data[n:]
	return text
}

func (r *reader) texts() (all []string) {
	n := r.byte()
	r.bad = r.bad || n > maxEndpoints
	for i := 0; i < n && !r.bad; i++ {
		all = append(all, r.text())
	}
	return all
}
