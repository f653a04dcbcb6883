package settings

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// Chooser is a string type of which only some values are good, such as a log level.
type Chooser interface{ Choices() []string }

// Defaulter is a struct that, as an item of a list or a map, does not start as zero.
type Defaulter interface{ Defaults() }

// Decoder decodes with an option. The zero Decoder is ready to use.
type Decoder struct {
	// Flow reads a list or a map that was written into one Text, as [a, b] or
	// {a: 1}. It is JSON if nil.
	Flow func(text string) (any, error)
}

// Decode sets the fields of the struct that into points to from in, which is a
// map[string]any or nil, and then validates. Fields without a key in the map keep
// their values. The problems are in the order of the fields; none means that into is
// good. With problems, into is partly set. It panics if into is no pointer to a struct.
func Decode(in, into any) []plugin.Problem { return Decoder{}.Decode(in, into) }

// Decode is the function Decode with the options of the decoder.
func (o Decoder) Decode(in, into any) []plugin.Problem {
	out := reflect.ValueOf(into)
	if out.Kind() != reflect.Pointer || out.IsNil() || out.Elem().Kind() != reflect.Struct {
		panic(fmt.Sprintf("settings: cannot decode into a %T, only into a pointer to a struct", into))
	}
	d := &decoding{flow: o.Flow}
	if d.flow == nil {
		d.flow = flowJSON
	}
	if in != nil {
		d.section(spot{}, in, out.Elem())
	}
	d.validate(spot{}, out.Elem())
	return d.problems
}

// decoding is one run of a Decoder.
type decoding struct {
	flow     func(string) (any, error)
	problems []plugin.Problem
}

// spot is a place in the settings.
type spot struct {
	path   string
	secret bool // values from here on must not be quoted
}

func (s spot) key(key string) spot { return spot{Join(s.path, key), s.secret} }
func (s spot) item(i int) spot     { return spot{Index(s.path, i), s.secret} }

// Join is the path of a key below a path.
func Join(path, key string) string {
	if path == "" {
		return key
	}
	if key == "" || strings.HasPrefix(key, "[") {
		return path + key
	}
	return path + "." + key
}

// Index is the path of an item of the list at a path, counting from 0.
func Index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

func (d *decoding) add(at spot, text, hint string) {
	d.problems = append(d.problems, plugin.Problem{Path: at.path, Text: text, Hint: hint})
}

// value decodes anything that is not nil.
func (d *decoding) value(at spot, in any, out reflect.Value) {
	in = plainNumber(in)
	switch kindOf(out.Type()) {
	case KindDuration:
		d.duration(at, in, out)
	case KindWord:
		d.word(at, in, out)
	case KindText:
		d.text(at, in, out)
	case KindBoolean:
		d.boolean(at, in, out)
	case KindInteger:
		d.integer(at, in, out)
	case KindNumber:
		d.number(at, in, out)
	case KindSection:
		d.section(at, in, out)
	case KindList:
		d.list(at, in, out)
	case KindMap:
		d.mapping(at, in, out)
	default:
		d.add(at, fmt.Sprintf("a setting of type %s is not supported", out.Type()), "")
	}
}

func kindOf(t reflect.Type) Kind {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return KindDuration
	case reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return KindWord
	}
	switch k := t.Kind(); {
	case k == reflect.String:
		return KindText
	case k == reflect.Bool:
		return KindBoolean
	case k >= reflect.Int && k <= reflect.Uintptr:
		return KindInteger
	case k == reflect.Float32 || k == reflect.Float64:
		return KindNumber
	case k == reflect.Struct:
		return KindSection
	case k == reflect.Slice:
		return KindList
	case k == reflect.Map:
		return KindMap
	}
	return ""
}
