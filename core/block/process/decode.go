package process

import (
	"encoding/binary"
	"fmt"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// reader takes a frame apart; after the first shortage everything reads as zero.
type reader struct {
	rest  []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if n > len(r.rest) {
		r.short, r.rest = true, nil
		return nil
	}
	out := r.rest[:n]
	r.rest = r.rest[n:]
	return out
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) number() uint64 {
	if len(r.rest) > 0 && r.rest[0] < 0x80 {
		b := r.rest[0]
		r.rest = r.rest[1:]
		return uint64(b)
	}
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.short, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) shortText() []byte { return r.take(int(r.byte())) }

// decode takes a frame apart into f. node is the receiver's own, which a reference is a
// reference to.
func (f *frame) decode(body []byte, node name.Node) error {
	if len(body) > 0 && body[0] == frameSend {
		return f.decodeSend(body)
	}
	*f = frame{}
	r := &reader{rest: body}
	err := f.read(r, node)
	if err == nil && (r.short || len(r.rest) > 0) {
		err = fmt.Errorf("message frame: type %d of another length: %w", body[0], ErrMalformed)
	}
	return err
}

// decodeSend is decode for most frames there are, and touches no more than it must.
func (f *frame) decodeSend(body []byte) error {
	r := reader{rest: body[1:]}
	f.kind, f.call, f.flags, f.left, f.large, f.typeName, f.data = frameSend, 0, 0, 0, false, nil, nil
	f.account, f.sender = r.number(), r.number()
	err := f.payload(&r)
	if err == nil && (r.short || len(r.rest) > 0) {
		err = fmt.Errorf("message frame: type %d of another length: %w", frameSend, ErrMalformed)
	}
	return err
}

func (f *frame) read(r *reader, node name.Node) (err error) {
	f.kind = r.byte()
	switch f.kind {
	case frameOpen:
		f.account = r.number()
		f.target, err = r.target(node)
	case frameSend:
		f.account, f.sender = r.number(), r.number()
		err = f.payload(r)
	case frameCall:
		f.account, f.call, f.flags, f.left, f.sender = r.number(), r.number(), r.byte(), r.uint32(), r.number()
		err = f.payload(r)
	case frameReply:
		f.call = r.number()
		err = f.payload(r)
	case frameFault:
		f.call = r.number()
		f.fault = r.fault()
	case frameCancel:
		f.call = r.number()
	case frameCredit:
		f.shard, f.generation, f.account, f.messages, f.bytes = r.byte(), r.number(), r.number(), r.number(), r.number()
	case frameRead:
		f.shard, f.generation, f.messages = r.byte(), r.number(), r.number()
	case frameSignal:
		f.signal, f.sender = r.byte(), r.number()
		if f.target, err = r.target(node); err == nil {
			f.number, f.fault = r.number(), r.fault()
		}
	case frameLarge:
		err = f.readLarge(r, node)
	default:
		err = fmt.Errorf("message frame: type %d: %w", f.kind, ErrMalformed)
	}
	return err
}

// readLarge reads the frame inside, which has no bytes of its own.
func (f *frame) readLarge(r *reader, node name.Node) error {
	token, size := r.number(), r.number()
	if len(r.rest) == 0 || r.rest[0] == frameLarge {
		return fmt.Errorf("message frame: a large one of nothing: %w", ErrMalformed)
	}
	err := f.read(r, node)
	f.large, f.token, f.size = true, token, size
	if err == nil && (len(f.data) > 0 || f.codec == Nothing || size > MaxPayload || size == 0) {
		err = fmt.Errorf("message frame: a large one of type %d and %d bytes: %w", f.kind, size, ErrMalformed)
	}
	return err
}

func (f *frame) payload(r *reader) error {
	f.codec = Codec(r.byte())
	switch f.codec {
	case Nothing:
		return nil
	case Raw, Text:
	case CBOR, Protobuf:
		f.typeName = r.shortText()
	default:
		return fmt.Errorf("message frame: codec %d: %w", f.codec, ErrMalformed)
	}
	f.data, r.rest = r.rest, nil
	return nil
}

func (r *reader) fault() (f fault) {
	f.status = status(r.byte())
	n := int(r.byte())
	if n > maxKinds {
		r.short = true
		return f
	}
	for range n {
		f.kinds = append(f.kinds, string(r.shortText()))
	}
	f.text = string(r.rest[:min(len(r.rest), maxErrorText)])
	r.short = r.short || len(r.rest) > maxErrorText || f.status >= statuses
	r.rest = nil
	return f
}

func (r *reader) target(node name.Node) (Target, error) {
	switch kind := r.byte(); kind {
	case targetRef:
		return ToRef(name.Ref{Node: node, Incarnation: r.number(), ID: r.number()}), nil
	case targetName:
		service, err := name.ParseService(string(r.shortText()))
		if err != nil {
			return Target{}, fmt.Errorf("message frame: %w: %w", err, ErrMalformed)
		}
		return ToName(node, service), nil
	default:
		return Target{}, fmt.Errorf("message frame: target kind %d: %w", kind, ErrMalformed)
	}
}
