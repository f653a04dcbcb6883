package process

import (
	"bytes"
	"encoding"
	"fmt"
	"reflect"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Codec says how the bytes of a payload are to be read.
type Codec uint8

// The codecs; the numbers travel.
const (
	Nothing  Codec = 0 // nil
	Raw      Codec = 1 // bytes, as they are
	Text     Codec = 2 // a string
	CBOR     Codec = 3 // RFC 8949, of the type named
	Protobuf Codec = 4 // the message named
)

// Encoded is a payload in the form in which it travels. A receiver finds one where a
// value should be when it does not know the type.
type Encoded struct {
	Codec Codec
	Type  string // of CBOR and Protobuf
	Data  []byte
}

// packed is a payload about to travel: what it is, and its bytes, of which only those
// of buffer are ours.
type packed struct {
	codec  Codec
	kind   string
	data   []byte
	text   string // instead of data
	buffer *bytes.Buffer
}

func (p *packed) size() int { return len(p.data) + len(p.text) }

// pack encodes a value, or says that it cannot travel. The result is given back with
// unpack when its bytes have been copied.
func (t *Types) pack(value any) (packed, error) {
	switch v := value.(type) {
	case nil:
		return packed{}, nil
	case []byte:
		if len(v) == 0 {
			return packed{}, nil
		}
		return packed{codec: Raw, data: v}, nil
	case string:
		return packed{codec: Text, text: v}, nil
	case *Encoded:
		return packed{codec: v.Codec, kind: v.Type, data: v.Data}, nil
	case proto.Message:
		data, err := proto.Marshal(v)
		if err != nil {
			return packed{}, fmt.Errorf("%T: %w: %w", value, err, ErrUnknownType)
		}
		return packed{codec: Protobuf, kind: string(v.ProtoReflect().Descriptor().FullName()), data: data}, nil
	}
	return t.packCBOR(value)
}

func (t *Types) packCBOR(value any) (packed, error) {
	typeName, known := t.nameOf(plainType(reflect.TypeOf(value)))
	if !known {
		return packed{}, fmt.Errorf("a value of type %T cannot be sent to another node: add the type to those of the node: %w", value, ErrUnknownType)
	}
	buffer, _ := t.buffers.Get().(*bytes.Buffer)
	if buffer == nil {
		buffer = &bytes.Buffer{}
	}
	buffer.Reset()
	if err := t.enc.MarshalToBuffer(value, buffer); err != nil {
		return packed{}, fmt.Errorf("a value of type %T cannot be sent to another node: %w: %w", value, err, ErrUnknownType)
	}
	return packed{codec: CBOR, kind: typeName, data: buffer.Bytes(), buffer: buffer}, nil
}

// unpack gives the buffer back, unless it has become large.
func (t *Types) unpack(p packed) {
	if p.buffer != nil && p.buffer.Cap() <= 64<<10 {
		t.buffers.Put(p.buffer)
	}
}

// value decodes what has arrived; what is of no known type stays *Encoded.
func (t *Types) value(e *Encoded) (any, error) {
	switch e.Codec {
	case Nothing:
		return nil, nil
	case Raw:
		return e.Data, nil
	case Text:
		return string(e.Data), nil
	case Protobuf:
		kind, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(e.Type))
		if err != nil {
			return e, nil //nolint:nilerr // a message that this program does not know: it may be passed on
		}
		m := kind.New().Interface()
		if err := proto.Unmarshal(e.Data, m); err != nil {
			return nil, fmt.Errorf("message %s: %w: %w", e.Type, err, ErrBadPayload)
		}
		return m, nil
	case CBOR:
		if kind, known := t.typeOf(e.Type); known {
			into := reflect.New(kind)
			if err := t.decode(e, into.Interface()); err != nil {
				return nil, err
			}
			return into.Elem().Interface(), nil
		}
	}
	return e, nil
}

func (t *Types) decode(e *Encoded, into any) error {
	if err := t.dec.Unmarshal(e.Data, into); err != nil {
		return fmt.Errorf("payload of type %q: %w: %w", e.Type, err, ErrBadPayload)
	}
	return nil
}

// convert puts a value, decoded or not, into what into points to. It says no to a value
// of another type.
func (t *Types) convert(value any, into any) error {
	target := reflect.ValueOf(into).Elem()
	if e, ok := value.(*Encoded); ok && target.Type() != reflect.TypeFor[*Encoded]() {
		if e.Codec == CBOR && t.fits(e, target.Type()) {
			return t.convertCBOR(e, target)
		}
		decoded, err := t.value(e)
		if err != nil {
			return err
		}
		value = decoded
	}
	if assign(target, value) {
		return nil
	}
	return fmt.Errorf("got a payload of %s, want %s: %w", describe(value), target.Type(), ErrBadPayload)
}

func (t *Types) convertCBOR(e *Encoded, target reflect.Value) error {
	if target.Kind() == reflect.Pointer {
		target.Set(reflect.New(target.Type().Elem()))
		return t.decode(e, target.Interface())
	}
	return t.decode(e, target.Addr().Interface())
}

// fits reports whether CBOR of that type can be decoded into kind.
func (t *Types) fits(e *Encoded, kind reflect.Type) bool {
	kind = plainType(kind)
	if kind.Kind() == reflect.Interface {
		return false // the name says what it is
	}
	if typeName, known := t.nameOf(kind); known {
		return typeName == e.Type
	}
	return e.Type == "" || derivedName(kind) == e.Type
}

// is reports whether a value can become one of kind, without decoding it.
func (t *Types) is(value any, kind reflect.Type) bool {
	e, ok := value.(*Encoded)
	if !ok {
		return fitting(kind, value)
	}
	switch e.Codec {
	case Raw:
		return kind == reflect.TypeFor[[]byte]()
	case Text:
		return kind == reflect.TypeFor[string]()
	case CBOR:
		if kind.Kind() == reflect.Interface {
			known, ok := t.typeOf(e.Type)
			return ok && known.Implements(kind)
		}
		return t.fits(e, kind)
	}
	decoded, err := t.value(e)
	return err == nil && fitting(kind, decoded)
}

// fitting is assign for who chooses: text is not taken for bytes.
func fitting(kind reflect.Type, value any) bool {
	other := reflect.TypeOf(value)
	if other != nil && other != kind && isText(other) && isText(kind) {
		return false
	}
	return assign(reflect.New(kind).Elem(), value)
}

// assign sets target to value, or to what value points to, or to a pointer to it; bytes
// and text become each other. It reports whether it could.
func assign(target reflect.Value, value any) bool {
	if value == nil {
		switch target.Kind() {
		case reflect.Interface, reflect.Pointer, reflect.Slice, reflect.Map:
			return true
		}
		return target.Type() == reflect.TypeFor[struct{}]()
	}
	v := reflect.ValueOf(value)
	switch {
	case v.Type().AssignableTo(target.Type()):
		target.Set(v)
	case v.Kind() == reflect.Pointer && !v.IsNil() && v.Elem().Type().AssignableTo(target.Type()):
		target.Set(v.Elem())
	case target.Kind() == reflect.Pointer && v.Type().AssignableTo(target.Type().Elem()):
		pointer := reflect.New(v.Type())
		pointer.Elem().Set(v)
		target.Set(pointer)
	case isText(v.Type()) && isText(target.Type()):
		target.Set(v.Convert(target.Type()))
	default:
		return false
	}
	return true
}

func isText(kind reflect.Type) bool {
	return kind == reflect.TypeFor[string]() || kind == reflect.TypeFor[[]byte]()
}

func describe(value any) string {
	if e, ok := value.(*Encoded); ok {
		return fmt.Sprintf("type %q", e.Type)
	}
	return fmt.Sprintf("type %T", value)
}

// bytesOf is a payload for those who know bytes only: text and bytes as they are, what
// was encoded in its encoding.
func bytesOf(value any) []byte {
	switch v := value.(type) {
	case []byte:
		return v
	case string:
		return []byte(v)
	case *Encoded:
		return v.Data
	case encoding.TextMarshaler:
		text, err := v.MarshalText()
		if err == nil {
			return text
		}
	case nil:
		return nil
	}
	return fmt.Append(nil, value)
}
