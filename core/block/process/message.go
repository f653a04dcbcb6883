package process

import (
	"reflect"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// Message is what a process finds in its mailbox. It may be kept and copied.
type Message struct {
	From name.Ref // the sending process, or its node
	Call bool     // an answer is awaited

	codec Codec // of raw; Nothing: value holds the payload
	value any
	raw   []byte // as it came from another node
	types *Types
	call  responder
}

// Value is the payload: what was sent if the sender is on this node, the same decoded
// if it is not, and *Encoded when its type is not known here. What a sender of this
// node sent is shared with it, so neither changes it afterwards.
func (m Message) Value() any {
	switch m.codec {
	case Raw:
		return m.raw
	case Text:
		return string(m.raw)
	}
	if e, ok := m.value.(*Encoded); ok {
		if v, err := m.types.value(e); err == nil {
			return v
		}
	}
	return m.value
}

// Bytes is the payload for those who know bytes only: bytes and text as they are, CBOR
// and protobuf as encoded; nil if it is empty.
func (m Message) Bytes() []byte {
	if m.codec != Nothing {
		return m.raw
	}
	return bytesOf(m.value)
}

// Decode puts the payload into what into points to; the error wraps ErrBadPayload.
func (m Message) Decode(into any) error {
	if m.codec != Nothing {
		return m.types.convert(m.Value(), into)
	}
	return m.types.convert(m.value, into)
}

// Reply answers a call, once; what comes later is ignored, as are answers to messages
// that are no calls. It may be called from any goroutine, after the handler too if
// that has returned ErrLater.
func (m Message) Reply(value any, err error) {
	if m.call != nil {
		m.call.answer(value, err)
	}
}

// As is the payload as a T; the error wraps ErrBadPayload.
func As[T any](m Message) (T, error) {
	var into T
	if v, ok := m.value.(T); ok && m.codec == Nothing {
		return v, nil
	}
	err := m.Decode(&into)
	return into, err
}

// Is reports whether the payload is a T. Here text and bytes differ: a selective receive
// must not take the one for the other, although As turns the one into the other.
func Is[T any](m Message) bool {
	kind := reflect.TypeFor[T]()
	switch m.codec {
	case Raw:
		return kind == reflect.TypeFor[[]byte]()
	case Text:
		return kind == reflect.TypeFor[string]()
	}
	if m.value == nil {
		return kind == reflect.TypeFor[struct{}]()
	}
	if _, ok := m.value.(T); ok {
		return true
	}
	return m.types.is(m.value, kind)
}

// responder takes the answer of a call, from here or from elsewhere.
type responder interface {
	answer(value any, err error)
	context(p *Process) *callContext
}
