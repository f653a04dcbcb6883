package process

import (
	"fmt"
	"hash/fnv"
	"reflect"
	"sync"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// Types is what a node knows of the types of values that cross the wire, and of the
// errors that are recognised on the other side. Each node has one; both ends of a
// conversation call a type by the same name. All methods are safe for concurrent use.
type Types struct {
	tags cbor.TagSet
	enc  cbor.UserBufferEncMode
	dec  cbor.DecMode

	mu     sync.RWMutex
	names  map[reflect.Type]string
	byName map[string]reflect.Type
	errs   map[string]error

	buffers sync.Pool // of *bytes.Buffer
}

// maxTypeName bounds the name of a type or an error, in bytes.
const maxTypeName = 255

// NewTypes returns a table with the types that need no registration: strings, numbers,
// booleans, times and durations, references and names, slices and maps of them.
func NewTypes() *Types {
	t := &Types{
		tags: cbor.NewTagSet(), names: map[reflect.Type]string{}, byName: map[string]reflect.Type{}, errs: map[string]error{},
	}
	var err error
	t.enc, err = cbor.EncOptions{Time: cbor.TimeRFC3339Nano, TextMarshaler: cbor.TextMarshalerTextString}.UserBufferEncModeWithSharedTags(t.tags)
	if err == nil {
		t.dec, err = cbor.DecOptions{
			TextUnmarshaler: cbor.TextUnmarshalerTextString, DupMapKey: cbor.DupMapKeyEnforcedAPF,
			MaxArrayElements: MaxPayload, MaxMapPairs: MaxPayload, MaxNestedLevels: 64,
		}.DecModeWithSharedTags(t.tags)
	}
	if err != nil {
		panic("process: options of the codec: " + err.Error())
	}
	for _, plain := range []any{
		false, 0, int8(0), int16(0), int32(0), int64(0), uint(0), uint8(0), uint16(0), uint32(0), uint64(0),
		float32(0), 0.0, "", []byte(nil), struct{}{}, time.Time{}, time.Duration(0),
		name.Ref{}, name.Node{}, name.Service{}, name.Address{},
		[]string(nil), []int(nil), []int64(nil), []float64(nil), []bool(nil), []any(nil), []name.Ref(nil), []name.Node(nil),
		map[string]string(nil), map[string]int(nil), map[string]any(nil),
	} {
		kind := reflect.TypeOf(plain)
		t.names[kind], t.byName[kind.String()] = kind.String(), kind
	}
	return t
}

// Add makes the type of sample known under a name of 1 to 255 bytes, so that its values
// can be sent as what they are, also inside fields whose type is an interface. Adding
// the same pair again is fine; a name or a type that is taken is an error.
func (t *Types) Add(typeName string, sample any) error {
	kind := plainType(reflect.TypeOf(sample))
	if kind == nil || typeName == "" || len(typeName) > maxTypeName {
		return fmt.Errorf("type %T as %q: want a value and a name of 1 to %d bytes: %w", sample, typeName, maxTypeName, ErrUnknownType)
	}
	return t.add(typeName, kind)
}

func (t *Types) add(typeName string, kind reflect.Type) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if other, taken := t.byName[typeName]; taken && other != kind {
		return fmt.Errorf("type %s as %q: the name is that of %s: choose another: %w", kind, typeName, other, ErrUnknownType)
	}
	if other, known := t.names[kind]; known {
		if other == typeName {
			return nil
		}
		return fmt.Errorf("type %s as %q: it is known as %q: use that: %w", kind, typeName, other, ErrUnknownType)
	}
	if err := t.tag(typeName, kind); err != nil {
		return err
	}
	t.names[kind], t.byName[typeName] = typeName, kind
	return nil
}

// tag lets a type be found inside interfaces. The number is made of the name, so that
// all nodes have the same.
func (t *Types) tag(typeName string, kind reflect.Type) error {
	if kind.Kind() != reflect.Struct || kind.PkgPath() == "" {
		return nil // tags of other kinds would hide what the value is
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(typeName))
	const firstFree = 1 << 32
	number := firstFree | h.Sum64()>>16
	options := cbor.TagOptions{EncTag: cbor.EncTagRequired, DecTag: cbor.DecTagOptional}
	if err := t.tags.Add(options, kind, number); err != nil {
		return fmt.Errorf("type %s as %q: %w: %w", kind, typeName, err, ErrUnknownType)
	}
	return nil
}

// AddError makes an error known under a name: a handler elsewhere that returns it, or
// one that wraps it, gives its caller an error that errors.Is finds it in, if both
// nodes have added it.
func (t *Types) AddError(errorName string, err error) error {
	if err == nil || errorName == "" || len(errorName) > maxTypeName {
		return fmt.Errorf("error %q: want an error and a name of 1 to %d bytes: %w", errorName, maxTypeName, ErrUnknownType)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if other, taken := t.errs[errorName]; taken && other != err { //nolint:errorlint // the very value
		return fmt.Errorf("error %q: the name is taken: choose another: %w", errorName, ErrUnknownType)
	}
	t.errs[errorName] = err
	return nil
}

// learn makes a type known under the name that the compiler has for it, for calls whose
// types are written in the program.
func (t *Types) learn(kind reflect.Type) error {
	kind = plainType(kind)
	if kind == nil || kind.Kind() == reflect.Interface || t.known(kind) {
		return nil
	}
	return t.add(derivedName(kind), kind)
}

func (t *Types) known(kind reflect.Type) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	_, known := t.names[kind]
	return known
}

func derivedName(kind reflect.Type) string {
	text := kind.String()
	if kind.Name() != "" && kind.PkgPath() != "" {
		text = kind.PkgPath() + "." + kind.Name()
	}
	return text[:min(len(text), maxTypeName)]
}

// plainType is what a pointer points to: a value and a pointer to it travel alike.
func plainType(kind reflect.Type) reflect.Type {
	if kind != nil && kind.Kind() == reflect.Pointer {
		return kind.Elem()
	}
	return kind
}

func (t *Types) nameOf(kind reflect.Type) (string, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	typeName, known := t.names[kind]
	return typeName, known
}

func (t *Types) typeOf(typeName string) (reflect.Type, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	kind, known := t.byName[typeName]
	return kind, known
}

// intern is the name as the table has it, which costs no memory.
func (t *Types) intern(typeName []byte) string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if kind, known := t.byName[string(typeName)]; known {
		return t.names[kind]
	}
	return string(typeName)
}
