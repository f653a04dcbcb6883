package replica

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/barrelp2p/barrel/interfaces/name"
)

const (
	protocol = 'R'
	format   = 1

	// MaxFrame is the longest frame that a replica sends, in bytes.
	MaxFrame = 48 << 10

	maxPlaces  = 512 // owners in one frame
	maxSubject = 512 // bytes
)

// ErrFrame is the kind of every decoding error.
var ErrFrame = errors.New("bad replica frame")

type kind uint8

const (
	pull kind = iota + 1
	data
	more
	seek
	found
)

// place is how far somebody is with an owner.
type place struct {
	owner    string
	inc, seq uint64
}

type message struct {
	kind    kind
	number  uint64  // pull, data, more: of the transfer
	last    bool    // data
	chunk   []byte  // data
	places  []place // pull, found
	id      uint64  // seek, found
	hops    uint8   // seek
	subject string  // seek
}

func encode(m *message) []byte {
	b := make([]byte, 0, 32+len(m.chunk)+40*len(m.places))
	b = append(b, protocol, format, byte(m.kind))
	switch m.kind {
	case data:
		b = append(binary.AppendUvarint(b, m.number), 0)
		if m.last {
			b[len(b)-1] = 1
		}
		b = append(b, m.chunk...)
	case more:
		b = binary.AppendUvarint(b, m.number)
	case seek:
		b = binary.BigEndian.AppendUint64(b, m.id)
		b = append(b, m.hops)
		b = append(b, m.subject...)
	case found:
		b = appendPlaces(binary.BigEndian.AppendUint64(b, m.id), m.places)
	case pull:
		b = appendPlaces(binary.AppendUvarint(b, m.number), m.places)
	}
	return b
}

func appendPlaces(b []byte, places []place) []byte {
	b = binary.AppendUvarint(b, uint64(len(places)))
	for i := range places {
		p := &places[i]
		b = append(binary.AppendUvarint(b, uint64(len(p.owner))), p.owner...)
		b = binary.AppendUvarint(b, p.inc)
		b = binary.AppendUvarint(b, p.seq)
	}
	return b
}

// decode reads a frame that anybody may have written. The error wraps ErrFrame.
func decode(frame []byte) (message, error) {
	if len(frame) < 3 || frame[0] != protocol || frame[1] != format {
		return message{}, fmt.Errorf("%w: %d bytes that begin with %x", ErrFrame, len(frame), frame[:min(len(frame), 3)])
	}
	m := message{kind: kind(frame[2])}
	rest, ok := frame[3:], true
	if m.kind == pull || m.kind == data || m.kind == more {
		m.number, rest, ok = takeNumber(rest)
	}
	ok = ok && m.body(rest)
	if !ok {
		return message{}, fmt.Errorf("%w: kind %d of %d bytes does not parse", ErrFrame, frame[2], len(frame))
	}
	return m, nil
}

// body reads what follows the kind and the number of a transfer.
func (m *message) body(rest []byte) (ok bool) {
	switch m.kind {
	case data:
		if ok = len(rest) > 0 && rest[0] < 2; ok {
			m.last, m.chunk = rest[0] == 1, rest[1:]
		}
	case seek:
		if ok = len(rest) > 9 && len(rest) <= 9+maxSubject; ok {
			m.id, m.hops, m.subject = binary.BigEndian.Uint64(rest), rest[8], string(rest[9:])
		}
	case found:
		if ok = len(rest) >= 9; ok {
			m.id = binary.BigEndian.Uint64(rest)
			m.places, ok = takePlaces(rest[8:])
		}
	case pull:
		m.places, ok = takePlaces(rest)
	default:
		ok = m.kind == more && len(rest) == 0
	}
	return ok
}

func takePlaces(b []byte) (places []place, ok bool) {
	n, b, ok := takeNumber(b)
	if !ok || n > maxPlaces || n*3 > uint64(len(b)) {
		return nil, false
	}
	for range n {
		var p place
		var length uint64
		if length, b, ok = takeNumber(b); !ok || length == 0 || length > name.MaxNode || length > uint64(len(b)) {
			return nil, false
		}
		p.owner, b = string(b[:length]), b[length:]
		if p.inc, b, ok = takeNumber(b); !ok {
			return nil, false
		}
		if p.seq, b, ok = takeNumber(b); !ok {
			return nil, false
		}
		places = append(places, p)
	}
	return places, len(b) == 0
}

func takeNumber(b []byte) (n uint64, rest []byte, ok bool) {
	n, width := binary.Uvarint(b)
	if width <= 0 || width > 1 && b[width-1] == 0 {
		return 0, nil, false
	}
	return n, b[width:], true
}
