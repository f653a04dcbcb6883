package liveness

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

const (
	protocol  = 'L'
	format    = 1
	maxRecord = 4 << 10 // bytes of a record in a proof
	maxSig    = 256     // bytes of a signature
)

// ErrFrame is the kind of every decoding error.
var ErrFrame = errors.New("bad liveness frame")

// Names is what a host knows of handles. On the wire a node is a number that is the same
// everywhere.
type Names interface {
	ID(overlay.Peer) uint64
	// Peer is Nobody for a number that the host does not know.
	Peer(id uint64) overlay.Peer
	// Prove checks the proof of an entry. If it is good and speaks of id, it sets Peer,
	// also of a node not known before, and Verified. If it is good but the host does not accept that
	// node, it sets ID and Refused.
	Prove(id uint64, e *Entry)
}

// Append appends a message as the package comment draws it.
func Append(b []byte, m *Message, names Names) []byte {
	b = append(b, protocol, format, byte(m.Kind))
	switch m.Kind {
	case Ping, Pong:
		b = binary.BigEndian.AppendUint32(b, m.Nonce)
	case Ask, Answer:
		b = binary.BigEndian.AppendUint64(b, names.ID(m.Peer))
		b = binary.BigEndian.AppendUint32(b, m.Nonce)
	case Counters:
		b = appendCounts(b, m.Counts, names)
	case Compare, Differ:
		b = binary.AppendUvarint(b, uint64(len(m.Sums)))
		for _, s := range m.Sums {
			b = binary.BigEndian.AppendUint64(b, s)
		}
	case Obituary:
		b = binary.BigEndian.AppendUint64(b, names.ID(m.Peer))
		b = appendBytes(b, m.Sig)
		b = appendEntries(b, m.Entries, names)
	default:
		b = appendEntries(b, m.Entries, names)
	}
	return b
}

// Detach takes the signature out of an encoded Obituary: body is what its observer signs,
// the same message with an empty signature. It works on the bytes because whoever passes
// an obituary on need not know of whom it speaks. ok is false for everything else.
func Detach(data []byte) (body, sig []byte, ok bool) {
	const at = 3 + 8
	if len(data) <= at || data[0] != protocol || data[1] != format || Kind(data[2]) != Obituary {
		return nil, nil, false
	}
	n, w := binary.Uvarint(data[at:])
	if w <= 0 || n > maxSig || at+w+int(n) > len(data) {
		return nil, nil, false
	}
	rest := at + w + int(n)
	body = append(make([]byte, 0, len(data)), data[:at]...)
	body = append(append(body, 0), data[rest:]...)
	return body, data[at+w : rest], true
}

func appendBytes(b, data []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(data))), data...)
}

func appendCounts(b []byte, counts []Count, names Names) []byte {
	b = binary.AppendUvarint(b, uint64(len(counts)))
	for _, c := range counts {
		b = binary.BigEndian.AppendUint64(b, names.ID(c.Peer))
		b = binary.AppendUvarint(b, uint64(c.Count))
		b = binary.BigEndian.AppendUint16(b, c.Tag)
		b = append(b, c.Age)
	}
	return b
}

func appendEntries(b []byte, entries []Entry, names Names) []byte {
	b = binary.AppendUvarint(b, uint64(len(entries)))
	for i := range entries {
		e := &entries[i]
		id := e.ID
		if e.Peer != overlay.Nobody {
			id = names.ID(e.Peer)
		}
		b = binary.BigEndian.AppendUint64(b, id)
		b = binary.AppendUvarint(b, e.Inc)
		b = binary.AppendUvarint(b, uint64(e.Ref))
		b = binary.AppendUvarint(b, uint64(e.Count))
		b = binary.AppendUvarint(b, uint64(max(e.Age, 0)/millisecond))
		if e.Proof == nil {
			b = append(b, byte(e.State))
			continue
		}
		b = append(b, byte(e.State)|proved)
		b = appendBytes(appendBytes(b, e.Proof.Record), e.Proof.Sig)
	}
	return b
}

// proved is the bit of the state byte that says that a proof follows.
const proved = 0x80

// Size is how many bytes the message is on the wire.
func (m Message) Size() int {
	n := 3
	switch m.Kind {
	case Ping, Pong:
		n += 4
	case Ask, Answer:
		n += 12
	case Counters:
		n++
		for _, c := range m.Counts {
			n += 8 + width(uint64(c.Count)) + 3
		}
	case Compare, Differ:
		n += 1 + 8*len(m.Sums)
	case Obituary:
		n += 8 + width(uint64(len(m.Sig))) + len(m.Sig) + entriesSize(m.Entries)
	default:
		n += entriesSize(m.Entries)
	}
	return n
}

func entriesSize(entries []Entry) int {
	n := width(uint64(len(entries)))
	for i := range entries {
		e := &entries[i]
		n += 9 + width(e.Inc) + width(uint64(e.Ref)) + width(uint64(e.Count)) + width(uint64(e.Age/millisecond))
		if p := e.Proof; p != nil {
			n += width(uint64(len(p.Record))) + len(p.Record) + width(uint64(len(p.Sig))) + len(p.Sig)
		}
	}
	return n
}

// width is the length of a varint.
func width(n uint64) int {
	w := 1
	for ; n >= 0x80; n >>= 7 {
		w++
	}
	return w
}

// Decode reads a message that anybody may have written. Proofs are handed to
// names.Prove; Verified of an Obituary is the host's to set afterwards. The error wraps ErrFrame.
func Decode(data []byte, names Names) (Message, error) {
	if len(data) < 4 || data[0] != protocol || data[1] != format {
		return Message{}, fmt.Errorf("%w: %d bytes that begin with %x", ErrFrame, len(data), data[:min(len(data), 3)])
	}
	m := Message{Kind: Kind(data[2])}
	r := reader{rest: data[3:], names: names}
	switch m.Kind {
	case Ping, Pong:
		m.Nonce = uint32(r.fixed(4))
	case Ask, Answer:
		m.Peer, m.Nonce = r.peer(), uint32(r.fixed(4))
	case Counters:
		m.Counts = r.counts()
	case Compare, Differ:
		m.Sums = r.sums()
	case Obituary:
		m.Peer, m.Sig, m.Entries = r.peer(), r.bytes(maxSig), r.entries()
	case Announce, Doubt, Table, Want, Records, Stale:
		m.Entries = r.entries()
	default:
		r.bad = true
	}
	if r.bad || len(r.rest) > 0 {
		return Message{}, fmt.Errorf("%w: %s of %d bytes does not parse", ErrFrame, m.Kind, len(data))
	}
	return m, nil
}
