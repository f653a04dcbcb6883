package hyparview

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// A frame is: protocol byte, version byte, kind byte, TTL byte, flags byte, the subject,
// u8 count, then so many ids. The subject and each id is a u16-counted record; no subject
// is an empty one. Numbers are big-endian. What a kind does not use is zero.
const (
	protocol = 'H'
	version  = 1
	head     = 5
)

// Limits of what is read.
const (
	MaxRecord = 1 << 10                             // bytes of a record
	MaxFrame  = head + 1 + (MaxIDs+1)*(2+MaxRecord) // bytes of a frame
)

// ErrFrame is the kind of every decoding error.
var ErrFrame = errors.New("bad hyparview frame")

// Book translates between the numbers of the machine and what travels: a record that
// says who a node is and proves it. The machine never looks into one.
type Book interface {
	// Record is the record of a peer, at most MaxRecord bytes; nil if there is none any
	// more, which leaves the peer out of the message.
	Record(overlay.Peer) []byte
	// Peer is the number of the node of a record that anybody may have written; false if
	// it proves nothing, which leaves it out.
	Peer(record []byte) (overlay.Peer, bool)
}

// Encode appends a message to dst.
func Encode(dst []byte, msg *Message, book Book) []byte {
	dst = append(dst, protocol, version, byte(msg.Kind), msg.TTL, msg.Flags)
	var subject []byte
	if msg.Subject != overlay.Nobody {
		subject = book.Record(msg.Subject)
	}
	dst = appendRecord(dst, subject)
	at := len(dst)
	dst = append(dst, 0)
	for _, p := range msg.Peers() {
		if r := book.Record(p); len(r) > 0 {
			dst = appendRecord(dst, r)
			dst[at]++
		}
	}
	return dst
}

func appendRecord(dst, record []byte) []byte {
	record = record[:min(len(record), MaxRecord)]
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(record)))
	return append(dst, record...)
}

// Decode reads a frame that anybody may have written. The error wraps ErrFrame.
func Decode(data []byte, book Book) (Message, error) {
	if len(data) <= head || len(data) > MaxFrame {
		return Message{}, fmt.Errorf("%w: %d bytes", ErrFrame, len(data))
	}
	if data[0] != protocol || data[1] != version {
		return Message{}, fmt.Errorf("%w: protocol %#x version %d", ErrFrame, data[0], data[1])
	}
	msg := Message{Kind: Kind(data[2]), TTL: data[3], Flags: data[4]}
	r := reader{rest: data[head:]}
	subject := r.record()
	records := r.records()
	if r.bad || len(r.rest) > 0 || !msg.wellFormed(len(subject) > 0, len(records)) {
		return Message{}, fmt.Errorf("%w: kind %d does not parse", ErrFrame, data[2])
	}
	return msg, msg.fill(subject, records, book)
}

// wellFormed: the fields that are set are those that the kind uses.
func (m *Message) wellFormed(subject bool, ids int) bool {
	switch m.Kind {
	case Join:
		return m.TTL == 0 && m.Flags == 0 && !subject && ids == 0
	case ForwardJoin:
		return m.Flags == 0 && subject && ids == 0
	case Neighbor:
		return m.TTL == 0 && m.Flags&^High == 0 && !subject && ids == 0
	case Reply:
		return m.TTL == 0 && (m.Flags == 0 || m.Flags == Accept || m.Flags == Gone) && !subject && ids == 0
	case Disconnect:
		return m.TTL == 0 && (m.Flags == 0 || m.Flags == Gone && !subject) && ids == 0
	case Shuffle:
		return m.Flags == 0 && subject
	case ShuffleReply:
		return m.TTL == 0 && m.Flags == 0 && !subject
	}
	return false
}

func (m *Message) fill(subject []byte, records [][]byte, book Book) error {
	if len(subject) > 0 {
		p, ok := book.Peer(subject)
		switch {
		case ok && p != overlay.Nobody:
			m.Subject = p
		case m.Kind != Disconnect: // which ends a neighbourhood, whoever the other is
			return fmt.Errorf("%w: the subject proves nothing", ErrFrame)
		}
	}
	for _, r := range records {
		if p, ok := book.Peer(r); ok && p != overlay.Nobody {
			m.add(p)
		}
	}
	return nil
}

// reader takes fields off a byte slice; after the first that does not fit it is bad.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n > len(r.rest) {
		r.bad = true
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) record() []byte {
	size := r.take(2)
	if r.bad {
		return nil
	}
	n := int(binary.BigEndian.Uint16(size))
	r.bad = n > MaxRecord
	return r.take(n)
}

func (r *reader) records() [][]byte {
	size := r.take(1)
	if r.bad || size[0] > MaxIDs {
		r.bad = true
		return nil
	}
	all := make([][]byte, 0, size[0])
	for range size[0] {
		one := r.record()
		r.bad = r.bad || len(one) == 0
		all = append(all, one)
	}
	return all
}
