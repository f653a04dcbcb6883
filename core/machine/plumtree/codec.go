package plumtree

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	protocol = 'P'
	format   = 1
	flagged  = 1 // the bit for eager

	// MaxWire is the longest payload that decodes, in bytes; Config.MaxPayload is at most
	// that.
	MaxWire = 1 << 20
)

// ErrFrame is the kind of every decoding error.
var ErrFrame = errors.New("bad broadcast frame")

// Append appends a message as the package comment draws it.
func Append(b []byte, m *Message) []byte {
	flags := byte(0)
	if m.Eager {
		flags = flagged
	}
	b = append(b, protocol, format, byte(m.Kind), flags)
	b = binary.AppendUvarint(b, uint64(m.Version))
	switch m.Kind {
	case Gossip:
		b = appendID(b, m.ID)
		b = binary.AppendUvarint(b, uint64(m.Round))
		b = binary.AppendUvarint(b, m.Key)
		b = binary.AppendUvarint(b, uint64(len(m.Data)))
		b = append(b, m.Data...)
	case IHave, Graft, Gone:
		b = appendList(b, m.List)
	}
	return b
}

func appendID(b []byte, id ID) []byte {
	b = binary.BigEndian.AppendUint64(b, id.Origin)
	b = binary.AppendUvarint(b, id.Life)
	return binary.AppendUvarint(b, id.Seq)
}

func appendList(b []byte, list []Announce) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for i, a := range list {
		if i > 0 && list[i-1].ID.Origin == a.ID.Origin && list[i-1].ID.Life == a.ID.Life {
			b = append(b, 1)
			b = binary.AppendUvarint(b, a.ID.Seq)
		} else {
			b = append(b, 0)
			b = appendID(b, a.ID)
		}
		b = binary.AppendUvarint(b, uint64(a.Round))
	}
	return b
}

// Size is how many bytes Append appends.
func Size(m *Message) int {
	n := 4 + width(uint64(m.Version))
	switch m.Kind {
	case Gossip:
		n += idSize(m.ID) + width(uint64(m.Round)) + width(m.Key) + width(uint64(len(m.Data))) + len(m.Data)
	case IHave, Graft, Gone:
		n += width(uint64(len(m.List)))
		for i, a := range m.List {
			n += 1 + width(uint64(a.Round))
			if i > 0 && m.List[i-1].ID.Origin == a.ID.Origin && m.List[i-1].ID.Life == a.ID.Life {
				n += width(a.ID.Seq)
			} else {
				n += idSize(a.ID)
			}
		}
	}
	return n
}

func idSize(id ID) int { return 8 + width(id.Life) + width(id.Seq) }

// width is the length of a varint.
func width(n uint64) int {
	w := 1
	for ; n >= 0x80; n >>= 7 {
		w++
	}
	return w
}

// Decode reads a message that anybody may have written. Data is part of the argument.
// The error wraps ErrFrame.
func Decode(data []byte) (Message, error) {
	if len(data) < 5 || data[0] != protocol || data[1] != format || data[3] > flagged {
		return Message{}, fmt.Errorf("%w: %d bytes that begin with %x", ErrFrame, len(data), data[:min(len(data), 4)])
	}
	m := Message{Kind: Kind(data[2]), Eager: data[3] == flagged}
	r := reader{rest: data[4:]}
	m.Version = r.short()
	switch m.Kind {
	case Gossip:
		m.ID, m.Round, m.Key = r.id(), r.short(), r.number()
		m.Data = r.bytes(r.number())
	case IHave, Graft, Gone:
		m.List = r.list()
	case Prune:
	default:
		r.bad = true
	}
	if r.bad || len(r.rest) > 0 {
		return Message{}, fmt.Errorf("%w: %s of %d bytes does not parse", ErrFrame, m.Kind, len(data))
	}
	return m, nil
}

// reader takes fields off a byte slice; after the first that does not fit it is bad and
// yields zeros.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) number() uint64 {
	n, w := binary.Uvarint(r.rest)
	if w <= 0 || w != width(n) || r.bad {
		r.bad = true
		return 0
	}
	r.rest = r.rest[w:]
	return n
}

func (r *reader) short() uint32 {
	n := r.number()
	r.bad = r.bad || n > 1<<32-1
	return uint32(n)
}

func (r *reader) bytes(n uint64) []byte {
	if r.bad || n > uint64(len(r.rest)) || n > MaxWire {
		r.bad = true
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) id() ID {
	b := r.bytes(8)
	if r.bad {
		return ID{}
	}
	return ID{Origin: binary.BigEndian.Uint64(b), Life: r.number(), Seq: r.number()}
}

func (r *reader) list() []Announce {
	count := r.number()
	if count > maxList || count*3 > uint64(len(r.rest)) {
		r.bad = true
	}
	if r.bad || count == 0 {
		return nil
	}
	list := make([]Announce, 0, count)
	for range count {
		list = append(list, r.announce(list))
	}
	return list
}

func (r *reader) announce(before []Announce) Announce {
	how := r.bytes(1)
	switch {
	case r.bad:
		return Announce{}
	case how[0] == 0:
		return Announce{r.id(), r.short()}
	case how[0] > 1 || len(before) == 0:
		r.bad = true
		return Announce{}
	}
	id := before[len(before)-1].ID
	id.Seq = r.number()
	return Announce{id, r.short()}
}
