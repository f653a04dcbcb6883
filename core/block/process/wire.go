package process

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// The frames. Numbers are unsigned varints unless a size is given; a target is the byte
// 1, incarnation, id, or the byte 2, length 1, service name; a sender is an id of the
// sending node, 1 being the node itself; a payload is the codec 1, for CBOR and protobuf
// length 1 and name of the type, and the bytes.
const (
	frameOpen   = 1  // account | target: the number stands for the target from here on
	frameSend   = 2  // account | sender | payload
	frameCall   = 3  // account | call | flags 1 | milliseconds left 4, 0: no deadline | sender | payload
	frameReply  = 4  // call | payload
	frameFault  = 5  // call | fault
	frameCancel = 6  // call: the caller does not wait any more
	frameCredit = 7  // shard 1 | generation | account | messages | bytes: how many may have been sent in all
	frameSignal = 8  // signal 1 | sender | target | number | fault
	frameRead   = 10 // shard 1 | generation | messages: how many of them have been read
	frameLarge  = 9  // token | size | a send, call or reply whose bytes come on a stream of their own
)

// flagReceipt asks for an answer as soon as the message is in the mailbox.
const flagReceipt = 1

const (
	largeFrom    = 32 << 10 // payloads of this size and more have a stream of their own
	maxHead      = 512 + name.MaxService + maxTypeName
	maxFault     = maxErrorText + 1 + maxKinds*(1+maxTypeName) + 16
	maxFrame     = largeFrom + maxHead
	streamHeader = 17
)

// frame is any of the frames, decoded. What is []byte is part of the bytes it was
// decoded from.
type frame struct {
	kind     byte
	account  uint64
	call     uint64
	flags    byte
	left     uint32 // milliseconds
	sender   uint64
	target   Target // of an open or a signal
	codec    Codec
	typeName []byte
	data     []byte
	fault    fault

	shard           byte // of a credit
	generation      uint64
	messages, bytes uint64

	signal byte
	number uint64

	large bool
	token uint64
	size  uint64
}

func beginFrame(b []byte, kind byte) []byte { return append(b, 0, 0, 0, kind) }

// endFrame writes the length, 3 bytes in front of the frame.
func endFrame(b []byte, begin int) []byte {
	size := len(b) - begin - 3
	b[begin], b[begin+1], b[begin+2] = byte(size>>16), byte(size>>8), byte(size)
	return b
}

func appendTarget(b []byte, t Target) []byte {
	if !t.Ref.IsZero() {
		return binary.AppendUvarint(binary.AppendUvarint(append(b, targetRef), t.Ref.Incarnation), t.Ref.ID)
	}
	return appendShort(append(b, targetName), t.Service.String())
}

const (
	targetRef  = 1
	targetName = 2
)

func appendShort(b []byte, s string) []byte { return append(append(b, byte(len(s))), s...) }

// appendPayload: data is left out of what goes on a stream of its own.
func appendPayload(b []byte, p *packed, data bool) []byte {
	b = append(b, byte(p.codec))
	if p.codec == CBOR || p.codec == Protobuf {
		b = appendShort(b, p.kind)
	}
	if data {
		b = append(append(b, p.data...), p.text...)
	}
	return b
}

func appendFault(b []byte, f fault) []byte {
	b = append(b, byte(f.status), byte(len(f.kinds)))
	for _, kind := range f.kinds {
		b = appendShort(b, kind)
	}
	return append(b, f.text...)
}

// leftNow is how much time is left, never less than there is; 0 stands for no deadline.
func leftNow(deadline time.Time) uint32 {
	if deadline.IsZero() {
		return 0
	}
	const most = time.Duration(1<<32-1) * time.Millisecond
	left := min(time.Until(deadline)+time.Millisecond-1, most)
	return uint32(max(left/time.Millisecond, 1))
}

func encodeStreamHeader(shard uint8, generation, after uint64) []byte {
	b := binary.BigEndian.AppendUint64([]byte{shard}, generation)
	return binary.BigEndian.AppendUint64(b, after)
}

func readStreamHeader(r io.Reader) (shard uint8, generation, after uint64, err error) {
	var head [streamHeader]byte
	if _, err = io.ReadFull(r, head[:]); err != nil {
		return 0, 0, 0, err
	}
	shard, generation, after = head[0], binary.BigEndian.Uint64(head[1:]), binary.BigEndian.Uint64(head[9:])
	if shard > largeShard || generation == 0 || after >= generation {
		err = fmt.Errorf("message stream: shard %d, generation %d after %d: %w", shard, generation, after, ErrMalformed)
	}
	return shard, generation, after, err
}

// cutter cuts what is read into frames.
type cutter struct {
	from       io.Reader
	buf        []byte
	begin, end int // of what has been read and not been cut
	err        error
}

// flushSize is for the largest frame, and many small ones.
const flushSize = maxFrame + 1<<10

func newCutter(from io.Reader) *cutter { return &cutter{from: from, buf: make([]byte, flushSize)} }

// next is the body of the next frame, good until more is read; nil if not all of it is
// there. The size is checked before anything is read, and the buffer bounds what is
// held.
func (c *cutter) next() ([]byte, error) {
	have := c.buf[c.begin:c.end]
	if len(have) < 3 {
		return nil, nil
	}
	size := int(have[0])<<16 | int(have[1])<<8 | int(have[2])
	if size == 0 || size > maxFrame {
		return nil, fmt.Errorf("message frame: %d bytes, want 1 to %d: %w", size, maxFrame, ErrMalformed)
	}
	if len(have) < 3+size {
		return nil, nil
	}
	c.begin += 3 + size
	return have[3 : 3+size], nil
}

// fill reads what has come, and waits for it. io.EOF is an end between two frames.
func (c *cutter) fill() error {
	c.end = copy(c.buf, c.buf[c.begin:c.end])
	c.begin = 0
	const tries = 100 // of a reader that returns nothing
	for range tries {
		if c.err != nil {
			break
		}
		var n int
		n, c.err = c.from.Read(c.buf[c.end:])
		if c.end += n; n > 0 {
			return nil
		}
	}
	switch {
	case c.err == nil:
		return io.ErrNoProgress
	case c.err == io.EOF && c.end > 0: //nolint:errorlint // readers return it bare
		return io.ErrUnexpectedEOF
	}
	return c.err
}
