package fullmesh

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// A frame is: protocol byte, version byte, kind byte, body. Numbers are big-endian.
//
//	JOIN, WELCOME, LEAVE   no body
//	MEMBERS                u16 count, then per member: u8-counted name, u64 incarnation,
//	                       u8 count of endpoints, each u16-counted text
//	REFUSE                 u8 code, u8-counted text
const (
	protocol = 'F'
	version  = 1
	head     = 3
)

type kind uint8

const (
	kindJoin    kind = 1 // take me in, and say so
	kindWelcome kind = 2 // the answer to JOIN
	kindMembers kind = 3 // who is alive here
	kindLeave   kind = 4 // good-bye
	kindRefuse  kind = 5 // not taken in, and why
)

type refusal uint8

const (
	refusedLeft  refusal = 1
	refusedStale refusal = 2
	refusedFull  refusal = 3
)

const (
	maxEndpoints = 8
	maxReason    = 200
	leastEntry   = 1 + 8 + 1 // bytes of a member on the wire, at the very least
)

// ErrFrame is the kind of every decoding error.
var ErrFrame = errors.New("bad membership frame")

type entry struct {
	node      name.Node
	inc       uint64
	endpoints []name.Address
}

type message struct {
	kind    kind
	members []entry
	code    refusal
	text    string
}

func bare(k kind) []byte { return []byte{protocol, version, byte(k)} }

func encodeRefuse(code refusal, text string) []byte {
	text = text[:min(len(text), maxReason)]
	return append(append(bare(kindRefuse), byte(code), byte(len(text))), text...)
}

// encodeMembers packs entries into as many frames as membership.MaxFrame makes necessary;
// no frame for no entries.
func encodeMembers(entries []entry) [][]byte {
	var frames [][]byte
	var frame, one []byte
	count := uint16(0)
	for _, e := range entries {
		one = appendEntry(one[:0], e)
		if frame == nil || len(frame)+len(one) > membership.MaxFrame {
			frame, count = append(bare(kindMembers), 0, 0), 0
			frames = append(frames, nil)
		}
		frame, count = append(frame, one...), count+1
		binary.BigEndian.PutUint16(frame[head:], count)
		frames[len(frames)-1] = frame
	}
	return frames
}

func appendEntry(b []byte, e entry) []byte {
	b = append(append(b, byte(len(e.node.String()))), e.node.String()...)
	b = binary.BigEndian.AppendUint64(b, e.inc)
	endpoints := clip(e.endpoints)
	b = append(b, byte(len(endpoints)))
	for _, a := range endpoints {
		b = binary.BigEndian.AppendUint16(b, uint16(len(a.String())))
		b = append(b, a.String()...)
	}
	return b
}

func clip(endpoints []name.Address) []name.Address {
	return endpoints[:min(len(endpoints), maxEndpoints)]
}

// decode reads a frame that anybody may have written. The error wraps ErrFrame.
func decode(data []byte) (message, error) {
	if len(data) < head || len(data) > membership.MaxFrame {
		return message{}, fmt.Errorf("%w: %d bytes", ErrFrame, len(data))
	}
	if data[0] != protocol || data[1] != version {
		return message{}, fmt.Errorf("%w: protocol %#x version %d", ErrFrame, data[0], data[1])
	}
	msg := message{kind: kind(data[2])}
	r := reader{rest: data[head:]}
	switch msg.kind {
	case kindJoin, kindWelcome, kindLeave:
	case kindMembers:
		msg.members = r.members()
	case kindRefuse:
		msg.code, msg.text = refusal(r.number(1)), string(r.bytes(1))
	default:
		return message{}, fmt.Errorf("%w: kind %d", ErrFrame, data[2])
	}
	if r.bad || len(r.rest) > 0 || len(msg.text) > maxReason {
		return message{}, fmt.Errorf("%w: kind %d does not parse", ErrFrame, data[2])
	}
	return msg, nil
}

// reader takes fields off a byte slice; after the first that does not fit it is bad
// and yields zeros.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n > len(r.rest) {
		r.bad = true
		return make([]byte, min(n, 8))
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

// number reads an unsigned number of size bytes.
func (r *reader) number(size int) uint64 {
	n := uint64(0)
	for _, b := range r.take(size) {
		n = n<<8 | uint64(b)
	}
	return n
}

// bytes reads a length of size bytes, then that many bytes.
func (r *reader) bytes(size int) []byte { return r.take(int(r.number(size))) }

func (r *reader) members() []entry {
	count := int(r.number(2))
	if count == 0 || count*leastEntry > len(r.rest) {
		r.bad = true
		return nil
	}
	entries := make([]entry, 0, count)
	for range count {
		if e := r.entry(); !r.bad {
			entries = append(entries, e)
		}
	}
	return entries
}

func (r *reader) entry() entry {
	node, err := name.ParseNode(string(r.bytes(1)))
	e := entry{node: node, inc: r.number(8)}
	count := int(r.number(1))
	r.bad = r.bad || err != nil || count > maxEndpoints
	for range count {
		if r.bad {
			break
		}
		addr, err := name.ParseAddress(string(r.bytes(2)))
		r.bad = r.bad || err != nil
		e.endpoints = append(e.endpoints, addr)
	}
	return e
}
