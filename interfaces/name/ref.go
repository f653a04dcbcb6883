package name

import (
	"cmp"
	"strconv"
	"strings"
)

// Ref names one process in one life of one node. Its text is
// node/incarnation/id, both numbers decimal: a@10.0.0.1/1790000000000/17.
// Because the incarnation is part of it, a reference to a process of an earlier
// life never reaches a process of a later one.
type Ref struct {
	Node        Node
	Incarnation uint64 // of the node; strictly increasing from start to start
	ID          uint64 // of the process within that life; 1 and up
}

// ParseRef reads the text of a reference. The error wraps ErrInvalid.
func ParseRef(s string) (Ref, error) {
	parts := strings.Split(s, "/")
	if len(parts) != 3 {
		return Ref{}, invalid("reference", clip(s), "write node/incarnation/id")
	}
	node, err := ParseNode(parts[0])
	if err != nil {
		return Ref{}, err
	}
	inc, err1 := strconv.ParseUint(parts[1], 10, 64)
	id, err2 := strconv.ParseUint(parts[2], 10, 64)
	if err1 != nil || err2 != nil || id == 0 {
		return Ref{}, invalid("reference", clip(s), "incarnation and id must be decimal numbers, id at least 1")
	}
	return Ref{Node: node, Incarnation: inc, ID: id}, nil
}

// String is the text that ParseRef reads, or "" for the zero Ref.
func (r Ref) String() string {
	if r.IsZero() {
		return ""
	}
	return r.Node.text + "/" + strconv.FormatUint(r.Incarnation, 10) + "/" + strconv.FormatUint(r.ID, 10)
}

// IsZero reports whether r refers to nothing.
func (r Ref) IsZero() bool { return r.Node.IsZero() }

// Compare orders references by node, incarnation and id.
func (r Ref) Compare(other Ref) int {
	return cmp.Or(r.Node.Compare(other.Node), cmp.Compare(r.Incarnation, other.Incarnation), cmp.Compare(r.ID, other.ID))
}

// MarshalText makes Ref usable in JSON and YAML.
func (r Ref) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText is ParseRef; empty text gives the zero Ref.
func (r *Ref) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*r = Ref{}
		return nil
	}
	*r, err = ParseRef(string(text))
	return err
}
