package antientropy

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	protocol = 'A'
	format   = 1

	// MaxFrame is the longest frame, in bytes.
	MaxFrame = 48 << 10
	maxMarks = 4096 // in one frame
)

// ErrFrame is the kind of every decoding error.
var ErrFrame = errors.New("bad anti-entropy frame")

// Kind says what a message is.
type Kind uint8

// The messages; the package comment draws who says what.
const (
	Hello Kind = iota + 1
	Compare
	Marks
	Offer
)

// String is the word used in traces.
func (k Kind) String() string {
	words := [...]string{"", "HELLO", "SUMS", "MARKS", "OFFER"}
	if int(k) < len(words) {
		return words[k]
	}
	return "unknown"
}

// Message is what two machines say to each other.
type Message struct {
	Kind  Kind
	Root  uint64           // Hello
	Count uint64           // Hello
	Reply bool             // Hello: wants an answer
	Sums  *[Buckets]uint64 // Compare
	Last  bool             // Marks: no more of them follow
	Set   Set              // Marks: the buckets that are listed whole
	Marks []Mark           // Marks, Offer
}

// Is reports whether a frame is one of this protocol.
func Is(frame []byte) bool { return len(frame) > 0 && frame[0] == protocol }

// Append appends a message as the package comment draws it.
func Append(b []byte, m *Message) []byte {
	b = append(b, protocol, format, byte(m.Kind))
	switch m.Kind {
	case Hello:
		b = binary.BigEndian.AppendUint64(b, m.Root)
		b = binary.AppendUvarint(b, m.Count)
		b = append(b, flag(m.Reply))
	case Compare:
		b = appendSums(b, m.Sums)
	case Marks:
		b = append(b, flag(m.Last))
		b = appendSet(b, m.Set)
		b = appendMarks(b, m.Marks)
	case Offer:
		b = appendMarks(b, m.Marks)
	}
	return b
}

func flag(set bool) byte {
	if set {
		return 1
	}
	return 0
}

func appendSet(b []byte, set Set) []byte {
	for _, word := range set {
		b = binary.BigEndian.AppendUint64(b, word)
	}
	return b
}

func appendSums(b []byte, sums *[Buckets]uint64) []byte {
	set := (&Sums{}).differ(sums)
	b = appendSet(b, set)
	for i := range Buckets {
		if set.Has(uint8(i)) {
			b = binary.BigEndian.AppendUint64(b, sums[i])
		}
	}
	return b
}

func appendMarks(b []byte, marks []Mark) []byte {
	b = binary.AppendUvarint(b, uint64(len(marks)))
	for i := range marks {
		m := &marks[i]
		b = append(binary.AppendUvarint(b, uint64(len(m.Key))), m.Key...)
		b = binary.AppendUvarint(b, m.Inc)
		b = binary.AppendUvarint(b, m.Seq)
		b = binary.BigEndian.AppendUint64(b, m.Tag)
		b = binary.AppendUvarint(b, m.Size)
	}
	return b
}

// size is the most bytes that a mark takes on the wire.
func (m *Mark) size() int { return len(m.Key) + 2 + 3*binary.MaxVarintLen64 + 8 }

// Decode reads a message that anybody may have written. The error wraps ErrFrame.
func Decode(frame []byte) (Message, error) {
	if len(frame) < 3 || len(frame) > MaxFrame || frame[0] != protocol || frame[1] != format {
		return Message{}, fmt.Errorf("%w: %d bytes that begin with %x", ErrFrame, len(frame), frame[:min(len(frame), 3)])
	}
	m := Message{Kind: Kind(frame[2])}
	r := reader{rest: frame[3:]}
	switch m.Kind {
	case Hello:
		m.Root, m.Count, m.Reply = r.fixed(), r.number(), r.flag()
	case Compare:
		m.Sums = r.sums()
	case Marks:
		m.Last, m.Set, m.Marks = r.flag(), r.set(), r.marks()
	case Offer:
		m.Marks = r.marks()
	default:
		r.bad = true
	}
	if r.bad || len(r.rest) > 0 {
		return Message{}, fmt.Errorf("%w: %s of %d bytes does not parse", ErrFrame, m.Kind, len(frame))
	}
	return m, nil
}

// reader takes fields off a byte slice; after the first that does not fit it is bad and
// yields zeros.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.rest)) {
		r.bad = true
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) fixed() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reader) number() uint64 {
	n, width := binary.Uvarint(r.rest)
	if r.bad || width <= 0 || width > 1 && r.rest[width-1] == 0 {
		r.bad = true
		return 0
	}
	r.rest = r.rest[width:]
	return n
}

func (r *reader) flag() bool {
	b := r.take(1)
	r.bad = r.bad || b[0] > 1
	return !r.bad && b[0] == 1
}

func (r *reader) set() (set Set) {
	for i := range set {
		set[i] = r.fixed()
	}
	return set
}

func (r *reader) sums() *[Buckets]uint64 {
	set := r.set()
	sums := &[Buckets]uint64{}
	for i := range Buckets {
		if set.Has(uint8(i)) {
			sums[i] = r.fixed()
			r.bad = r.bad || sums[i] == 0
		}
	}
	return sums
}

func (r *reader) marks() []Mark {
	n := r.number()
	const least = 1 + 1 + 1 + 1 + 8 + 1
	if n > maxMarks || n*least > uint64(len(r.rest)) {
		r.bad = true
	}
	if r.bad || n == 0 {
		return nil
	}
	marks := make([]Mark, n)
	for i := range marks {
		marks[i] = r.mark()
	}
	return marks
}

func (r *reader) mark() (m Mark) {
	length := r.number()
	if length == 0 || length > MaxKey {
		r.bad = true
	}
	m.Key = string(r.take(length))
	m.Inc, m.Seq, m.Tag, m.Size = r.number(), r.number(), r.fixed(), r.number()
	return m
}
