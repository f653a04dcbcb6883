package settings

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// section decodes a struct.
func (d *decoding) section(at spot, in any, out reflect.Value) {
	fields := fieldsOf(out.Type())
	m, ok := d.mapOf(at, in, "a section", "its keys are "+strings.Join(fieldNames(fields), ", "))
	if !ok {
		return
	}
	for _, key := range sortedKeys(m) {
		if !slices.ContainsFunc(fields, func(f field) bool { return f.name == key }) {
			d.problems = append(d.problems, Unknown(at.path, key, fieldNames(fields)))
		}
	}
	for _, f := range fields {
		if in := m[f.name]; in != nil {
			below := at.key(f.name)
			below.secret = below.secret || f.secret
			d.value(below, in, out.FieldByIndex(f.index))
		}
	}
}

// list decodes a slice. A list is one value: what it held before is gone.
func (d *decoding) list(at spot, in any, out reflect.Value) {
	items, ok := d.itemsOf(at, in, wordOf(out.Type()))
	if !ok {
		return
	}
	fresh := reflect.MakeSlice(out.Type(), 0, len(items))
	for i, item := range items {
		v := freshItem(out.Type().Elem())
		d.item(at.item(i), item, v)
		fresh = reflect.Append(fresh, v)
	}
	out.Set(fresh)
}

// item decodes what stands in a list or a map, where nothing and the empty text are
// no values: there is no default that could stay.
func (d *decoding) item(at spot, in any, out reflect.Value) {
	s, isText := textOf(in)
	switch kind := kindOf(out.Type()); {
	case in == nil && kind == KindSection:
		return // an entry that is all defaults
	case in == nil:
		d.add(at, "has no value, wants "+article(wordOf(out.Type())), "")
	case isText && s == "" && kind == KindWord:
		d.add(at, "is empty, wants "+article(wordOf(out.Type())), "")
	default:
		d.value(at, in, out)
	}
}

// mapping decodes a map. It is merged into what the map held before.
func (d *decoding) mapping(at spot, in any, out reflect.Value) {
	m, ok := d.mapOf(at, in, "a map", "write {key: value}")
	if !ok {
		return
	}
	fresh := reflect.MakeMap(out.Type())
	for iter := out.MapRange(); iter.Next(); {
		fresh.SetMapIndex(iter.Key(), iter.Value())
	}
	written := map[any]string{}
	for _, key := range sortedKeys(m) {
		d.entry(at, key, m[key], fresh, written)
	}
	out.Set(fresh)
}

func (d *decoding) entry(at spot, key string, in any, out reflect.Value, written map[any]string) {
	below := at.key(key)
	k := reflect.New(out.Type().Key()).Elem()
	before := len(d.problems)
	d.item(spot{path: below.path}, key, k)
	if len(d.problems) > before {
		return
	}
	if other, twice := written[k.Interface()]; twice {
		d.add(below, fmt.Sprintf("is the same key as %q", other), "keep one of the two")
		return
	}
	written[k.Interface()] = key
	v := freshItem(out.Type().Elem())
	if old := out.MapIndex(k); old.IsValid() {
		v.Set(old)
	}
	d.item(below, in, v)
	out.SetMapIndex(k, v)
}

func freshItem(t reflect.Type) reflect.Value {
	v := reflect.New(t)
	if def, ok := v.Interface().(Defaulter); ok {
		def.Defaults()
	}
	return v.Elem()
}

// mapOf accepts a map with text keys, or a Text that holds one.
func (d *decoding) mapOf(at spot, in any, want, hint string) (map[string]any, bool) {
	if s, ok := in.(Text); ok && strings.HasPrefix(string(s), "{") {
		tree, err := d.flow(string(s))
		if err != nil {
			d.add(at, flowText(at, err), "write {key: value}")
			return nil, false
		}
		in = tree
	}
	if m, ok := in.(map[string]any); ok {
		return m, true
	}
	v := reflect.ValueOf(in)
	if v.Kind() != reflect.Map || v.Type().Key().Kind() != reflect.String {
		d.add(at, wants(at, in, want), hint)
		return nil, false
	}
	m := map[string]any{}
	for iter := v.MapRange(); iter.Next(); {
		m[iter.Key().String()] = iter.Value().Interface()
	}
	return m, true
}

// itemsOf accepts a list, or a Text that holds one.
func (d *decoding) itemsOf(at spot, in any, want string) ([]any, bool) {
	if s, ok := in.(Text); ok {
		return d.splitText(at, string(s))
	}
	if items, ok := in.([]any); ok {
		return items, true
	}
	v := reflect.ValueOf(in)
	if v.Kind() != reflect.Slice {
		d.add(at, wants(at, in, article(want)), listHint(at, in))
		return nil, false
	}
	items := make([]any, v.Len())
	for i := range items {
		items[i] = v.Index(i).Interface()
	}
	return items, true
}

func listHint(at spot, in any) string {
	if v := reflect.ValueOf(in); v.Kind() == reflect.Map || at.secret || len(fmt.Sprint(in)) > 40 {
		return "write [a, b]"
	}
	return fmt.Sprintf("write [%v]", in)
}

// splitText splits at commas, or reads [a, b]. A host in brackets, as in
// [::1]:9100, does not make a list.
func (d *decoding) splitText(at spot, s string) ([]any, bool) {
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return []any{}, true
	case strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]"):
		tree, err := d.flow(s)
		if err != nil {
			d.add(at, flowText(at, err), "write a,b or [a, b]")
			return nil, false
		}
		items, ok := tree.([]any)
		if !ok {
			d.add(at, wants(at, tree, "a list"), "write a,b or [a, b]")
		}
		return items, ok
	case strings.HasPrefix(s, "[") && !strings.Contains(s, "]"):
		d.add(at, "the list has no closing bracket", "write a,b or [a, b]")
		return nil, false
	}
	var items []any
	for part := range strings.SplitSeq(s, ",") {
		items = append(items, Text(strings.TrimSpace(part)))
	}
	return items, true
}
