package settings

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// textOf is the text of a string in any of its guises.
func textOf(in any) (string, bool) {
	if v := reflect.ValueOf(in); v.Kind() == reflect.String {
		return v.String(), true
	}
	return "", false
}

// wants says what a value should be and what it is: `wants text, got a list`.
func wants(at spot, in any, want string) string {
	return "wants " + want + ", got " + called(at, in)
}

// called is how a value is called in a problem.
func called(at spot, in any) string {
	if s, ok := textOf(in); ok {
		if at.secret || len(s) > 60 {
			return "text"
		}
		return fmt.Sprintf("the text %q", s)
	}
	switch v := reflect.ValueOf(in); {
	case v.Kind() == reflect.Map:
		return "a section"
	case v.Kind() == reflect.Slice:
		return "a list"
	case v.Kind() == reflect.Bool:
		return "a boolean"
	case v.Kind() == reflect.Struct:
		return "a date or time"
	case at.secret && v.Kind() != reflect.Invalid:
		return "a number"
	case v.CanInt() || v.CanUint() || v.CanFloat():
		return "the number " + fmt.Sprint(in)
	}
	return "nothing"
}

// quote is a number as text, unless it is a secret.
func quote(at spot, in any) string {
	if at.secret {
		return "a number"
	}
	return fmt.Sprint(in)
}

// article puts a or an before a word that needs one.
func article(word string) string {
	switch {
	case word == "text" || word == "true or false":
		return word
	case strings.ContainsRune("aeiou", rune(word[0])):
		return "an " + word
	}
	return "a " + word
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// flowJSON reads a list or map out of a Text when the caller brings no reader.
func flowJSON(text string) (any, error) {
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, err
	}
	if dec.More() {
		return nil, fmt.Errorf("more text after the end")
	}
	return tree, nil
}

// flowText leaves out what a parser says of a secret.
func flowText(at spot, err error) string {
	if at.secret {
		return "cannot be read"
	}
	return "cannot be read: " + err.Error()
}
