package settings

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// validate asks every struct, outer before inner, what it thinks of its values.
func (d *decoding) validate(at spot, v reflect.Value) {
	switch kindOf(v.Type()) {
	case KindSection:
		d.ask(at, v)
		for _, f := range fieldsOf(v.Type()) {
			d.validate(at.key(f.name), v.FieldByIndex(f.index))
		}
	case KindList:
		if !holdsSections(v.Type()) {
			return
		}
		for i := range v.Len() {
			d.validate(at.item(i), v.Index(i))
		}
	case KindMap:
		if holdsSections(v.Type()) {
			d.validateEntries(at, v)
		}
	}
}

func holdsSections(t reflect.Type) bool {
	switch kindOf(t) {
	case KindSection:
		return true
	case KindList, KindMap:
		return holdsSections(t.Elem())
	}
	return false
}

func (d *decoding) validateEntries(at spot, v reflect.Value) {
	keys := map[string]reflect.Value{}
	for _, k := range v.MapKeys() {
		keys[plainText(k)] = k
	}
	names := make([]string, 0, len(keys))
	for key := range keys {
		names = append(names, key)
	}
	slices.Sort(names)
	for _, key := range names {
		item := reflect.New(v.Type().Elem()).Elem()
		item.Set(v.MapIndex(keys[key]))
		d.validate(at.key(key), item)
	}
}

// ask leaves out what is already reported: a value that could not be decoded still
// holds its default, and a word about that would mislead.
func (d *decoding) ask(at spot, v reflect.Value) {
	validator, ok := v.Addr().Interface().(plugin.Validator)
	if !ok {
		return
	}
	var found []plugin.Problem
	for _, p := range validator.Validate() {
		p.Path = Join(at.path, p.Path)
		if !d.reported(p.Path) {
			found = append(found, p)
		}
	}
	d.problems = append(d.problems, found...)
}

func (d *decoding) reported(path string) bool {
	return slices.ContainsFunc(d.problems, func(p plugin.Problem) bool {
		place := Place(p)
		if place == path {
			return true
		}
		rest, below := strings.CutPrefix(path, place)
		return below && place != "" && (rest[0] == '.' || rest[0] == '[')
	})
}

// plainText is the text of a map key.
func plainText(v reflect.Value) string {
	if v.Kind() == reflect.String {
		return v.String()
	}
	return fmt.Sprint(plainWord(v))
}
