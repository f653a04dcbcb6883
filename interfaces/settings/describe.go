package settings

import (
	"encoding"
	"fmt"
	"reflect"
)

// Kind is the sort of value that a field takes.
type Kind string

// The kinds of fields.
const (
	KindText     Kind = "text"
	KindWord     Kind = "word" // text with a grammar of its own, such as an address
	KindBoolean  Kind = "boolean"
	KindInteger  Kind = "integer"
	KindNumber   Kind = "number"
	KindDuration Kind = "duration"
	KindSection  Kind = "section" // a struct
	KindList     Kind = "list"
	KindMap      Kind = "map"
)

// Field describes one setting, or a section with all that is in it.
type Field struct {
	Name    string   // the key; empty for the root and for Item
	Kind    Kind     // what it takes
	Word    string   // the same for people: "duration", "list of address"
	Help    string   // one line
	Secret  bool     // the value must not be shown
	Value   any      // as it would stand in a file: see Plain
	Choices []string // the only good values, or none
	Bits    int      // of an integer
	Natural bool     // an integer that is never negative
	Fields  []Field  // of a section, in the order of the struct
	Item    *Field   // what a list or a map holds, as it starts
}

// Describe reads the fields of the struct that ptr points to. The values are those
// that the struct has: of fresh settings, the defaults.
func Describe(ptr any) Field { return describe(reflect.ValueOf(ptr).Elem()) }

func describe(v reflect.Value) Field {
	t := v.Type()
	f := Field{Kind: kindOf(t), Word: wordOf(t), Value: plain(v)}
	switch f.Kind {
	case KindSection:
		f.Fields = describeFields(v)
	case KindList, KindMap:
		item := describe(freshItem(t.Elem()))
		f.Item = &item
	case KindInteger:
		f.Bits, f.Natural = t.Bits(), v.CanUint()
	case KindText:
		if c, ok := v.Interface().(Chooser); ok {
			f.Choices = c.Choices()
		}
	}
	return f
}

func describeFields(v reflect.Value) []Field {
	var fields []Field
	for _, f := range fieldsOf(v.Type()) {
		child := describe(v.FieldByIndex(f.index))
		child.Name, child.Help, child.Secret = f.name, f.help, f.secret
		if f.secret {
			child.hide()
		}
		fields = append(fields, child)
	}
	return fields
}

// hide marks all that is below as secret too.
func (f *Field) hide() {
	f.Secret = true
	for i := range f.Fields {
		f.Fields[i].hide()
	}
	if f.Item != nil {
		f.Item.hide()
	}
}

// Child finds the field of a section by its name.
func (f Field) Child(name string) (Field, bool) {
	for _, child := range f.Fields {
		if child.Name == name {
			return child, true
		}
	}
	return Field{}, false
}

// Names lists the keys of a section, in order.
func (f Field) Names() []string {
	names := make([]string, len(f.Fields))
	for i, child := range f.Fields {
		names[i] = child.Name
	}
	return names
}

// Plain is the struct that ptr points to as it would stand in a file: string, bool,
// int64, uint64, float64, []any, map[string]any; a duration and all that has
// UnmarshalText as string. Decode reads it back.
func Plain(ptr any) map[string]any {
	m, _ := plain(reflect.ValueOf(ptr).Elem()).(map[string]any)
	return m
}

func plain(v reflect.Value) any {
	switch kindOf(v.Type()) {
	case KindDuration:
		return durationOf(v)
	case KindWord:
		return plainWord(v)
	case KindSection:
		return plainSection(v)
	case KindList:
		items := make([]any, v.Len())
		for i := range items {
			items[i] = plain(v.Index(i))
		}
		return items
	case KindMap:
		m := make(map[string]any, v.Len())
		for iter := v.MapRange(); iter.Next(); {
			m[plainText(iter.Key())] = plain(iter.Value())
		}
		return m
	}
	return plainScalar(v)
}

func plainSection(v reflect.Value) any {
	m := map[string]any{}
	for _, f := range fieldsOf(v.Type()) {
		m[f.name] = plain(v.FieldByIndex(f.index))
	}
	return m
}

func plainScalar(v reflect.Value) any {
	switch {
	case v.Kind() == reflect.String:
		return v.String()
	case v.Kind() == reflect.Bool:
		return v.Bool()
	case v.CanInt():
		return v.Int()
	case v.CanUint():
		return v.Uint()
	case v.CanFloat():
		return v.Float()
	}
	return nil
}

func plainWord(v reflect.Value) string {
	ptr := reflect.New(v.Type())
	ptr.Elem().Set(v)
	if m, ok := ptr.Interface().(encoding.TextMarshaler); ok {
		if text, err := m.MarshalText(); err == nil {
			return string(text)
		}
	}
	return fmt.Sprint(ptr.Elem().Interface())
}
