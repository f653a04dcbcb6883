package process

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// The frames. Numbers are big endian; a target is the byte 1, incarnation 8, id 8, or
// the byte 2, length 1, service name; sender is an id 8 of the sending node.
const (
	frameSend   = 1 // sender 8 | target | payload
	frameCall   = 2 // call 8 | flags 1 | milliseconds left 8, 0: no deadline | sender 8 | target | payload
	frameReply  = 3 // call 8 | status 1 | payload, or the text of the error
	frameCancel = 4 // call 8: the caller does not wait any more
)

// flagReceipt asks for an answer as soon as the message is in the mailbox.
const flagReceipt = 1

const (
	maxHead      = 64 + name.MaxService
	maxFrame     = MaxPayload + maxHead
	streamHeader = 17
	firstChunk   = 64 << 10
)

// frame is any of the frames, decoded.
type frame struct {
	kind    byte
	call    uint64
	flags   byte
	left    uint64 // milliseconds
	sender  uint64
	target  Target // Node is not set
	status  status
	payload []byte
}

func (f *frame) encode() []byte {
	b := make([]byte, 4, 4+maxHead/4+len(f.payload))
	b = append(b, f.kind)
	switch f.kind {
	case frameSend:
		b = f.appendTarget(binary.BigEndian.AppendUint64(b, f.sender))
	case frameCall:
		b = append(binary.BigEndian.AppendUint64(b, f.call), f.flags)
		b = binary.BigEndian.AppendUint64(b, f.left)
		b = f.appendTarget(binary.BigEndian.AppendUint64(b, f.sender))
	case frameReply:
		b = append(binary.BigEndian.AppendUint64(b, f.call), byte(f.status))
	case frameCancel:
		b = binary.BigEndian.AppendUint64(b, f.call)
	}
	b = append(b, f.payload...)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// setLeft writes into an encoded call how much time is left, never less than there is.
func setLeft(call []byte, deadline time.Time) {
	const place = 4 + 1 + 8 + 1
	if deadline.IsZero() {
		return
	}
	left := (time.Until(deadline) + time.Millisecond - 1) / time.Millisecond
	binary.BigEndian.PutUint64(call[place:], uint64(max(left, 1)))
}

const (
	targetRef  = 1
	targetName = 2
)

func (f *frame) appendTarget(b []byte) []byte {
	if !f.target.Ref.IsZero() {
		b = binary.BigEndian.AppendUint64(append(b, targetRef), f.target.Ref.Incarnation)
		return binary.BigEndian.AppendUint64(b, f.target.Ref.ID)
	}
	service := f.target.Service.String()
	return append(append(b, targetName, byte(len(service))), service...)
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
	if shard > replyShard || generation == 0 || after >= generation {
		err = fmt.Errorf("message stream: shard %d, generation %d after %d: %w", shard, generation, after, ErrMalformed)
	}
	return shard, generation, after, err
}

// readFrame reads one frame; the size is checked before anything is allocated, and no
// more is allocated than twice what has arrived.
func readFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size == 0 || size > maxFrame {
		return nil, fmt.Errorf("message frame: %d bytes, at most %d: %w", size, maxFrame, ErrMalformed)
	}
	var body []byte
	for have := 0; have < int(size); have = len(body) {
		more := min(int(size)-have, max(have, firstChunk))
		body = append(body, make([]byte, more)...)
		if _, err := io.ReadFull(r, body[have:]); err != nil {
			return nil, cut(err)
		}
	}
	return body, nil
}

// cut is the error of a frame that ends in the middle.
func cut(err error) error {
	if err == io.EOF { //nolint:errorlint // io.ReadFull returns it bare
		return io.ErrUnexpectedEOF
	}
	return err
}

// reader takes a frame apart; after the first shortage everything reads as zero.
type reader struct {
	rest  []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if len(r.rest) < n {
		r.short, r.rest = true, nil
		return make([]byte, n)
	}
	out := r.rest[:n]
	r.rest = r.rest[n:]
	return out
}

func (r *reader) byte() byte     { return r.take(1)[0] }
func (r *reader) uint64() uint64 { return binary.BigEndian.Uint64(r.take(8)) }

// decode takes a frame apart. The payload is a part of body. node is the receiver's
// own, which a reference is a reference to.
func decode(body []byte, node name.Node) (f frame, err error) {
	r := &reader{rest: body}
	f.kind = r.byte()
	switch f.kind {
	case frameSend:
		f.sender = r.uint64()
		f.target, err = r.target(node)
	case frameCall:
		f.call, f.flags, f.left, f.sender = r.uint64(), r.byte(), r.uint64(), r.uint64()
		f.target, err = r.target(node)
	case frameReply:
		f.call, f.status = r.uint64(), status(r.byte())
	case frameCancel:
		f.call = r.uint64()
	default:
		return f, fmt.Errorf("message frame: type %d: %w", f.kind, ErrMalformed)
	}
	if err == nil && r.short {
		err = fmt.Errorf("message frame: type %d cut short: %w", f.kind, ErrMalformed)
	}
	if len(r.rest) > 0 {
		f.payload = r.rest
	}
	if len(f.payload) > MaxPayload {
		err = fmt.Errorf("message frame: payload of %d bytes, at most %d: %w", len(f.payload), MaxPayload, ErrMalformed)
	}
	return f, err
}

func (r *reader) target(node name.Node) (Target, error) {
	switch kind := r.byte(); kind {
	case targetRef:
		ref := name.Ref{Node: node, Incarnation: r.uint64(), ID: r.uint64()}
		return ToRef(ref), nil
	case targetName:
		service, err := name.ParseService(string(r.take(int(r.byte()))))
		if err != nil {
			return Target{}, fmt.Errorf("message frame: %w: %w", err, ErrMalformed)
		}
		return ToName(node, service), nil
	default:
		return Target{}, fmt.Errorf("message frame: target kind %d: %w", kind, ErrMalformed)
	}
}
