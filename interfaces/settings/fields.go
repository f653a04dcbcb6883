package settings

import (
	"reflect"
	"strings"
)

// field is what the tags of a struct field say.
type field struct {
	index  []int
	name   string
	help   string
	secret bool
}

func fieldsOf(t reflect.Type) []field {
	var fields []field
	for _, f := range reflect.VisibleFields(t) {
		name := f.Tag.Get("setting")
		if name == "" || !f.IsExported() || len(f.Index) != 1 {
			continue
		}
		fields = append(fields, field{f.Index, name, f.Tag.Get("help"), f.Tag.Get("secret") == "true"})
	}
	return fields
}

func fieldNames(fields []field) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return names
}

// wordOf is what people call a type: "list of address".
func wordOf(t reflect.Type) string {
	switch kind := kindOf(t); kind {
	case KindWord:
		return strings.ToLower(t.Name())
	case KindInteger:
		return "whole number"
	case KindBoolean:
		return "true or false"
	case KindList:
		return "list of " + wordOf(t.Elem())
	case KindMap:
		return "map of " + wordOf(t.Elem())
	default:
		return string(kind)
	}
}
