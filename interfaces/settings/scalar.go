package settings

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Text is a leaf that came in as text, from an environment variable or a flag, and
// is therefore converted by the type of the field it meets: true or false, a number,
// a duration, a list separated by commas or written [a, b], a map written {a: b}.
type Text string

// plainNumber undoes json.Number, which is how JSON decoders keep digits.
func plainNumber(in any) any {
	n, ok := in.(json.Number)
	if !ok {
		return in
	}
	if i, err := strconv.ParseInt(string(n), 10, 64); err == nil {
		return i
	}
	if u, err := strconv.ParseUint(string(n), 10, 64); err == nil {
		return u
	}
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil {
		return string(n)
	}
	return f
}

func (d *decoding) text(at spot, in any, out reflect.Value) {
	s, ok := textOf(in)
	if !ok {
		d.add(at, wants(at, in, "text"), quotesHint(in))
		return
	}
	if c, ok := out.Interface().(Chooser); ok && !slices.Contains(c.Choices(), s) && s != out.String() {
		d.choose(at, s, c.Choices())
		return
	}
	out.SetString(s)
}

func (d *decoding) choose(at spot, s string, choices []string) {
	text := "is none of " + strings.Join(choices, ", ")
	if !at.secret {
		text = fmt.Sprintf("%q %s", s, text)
	}
	d.add(at, text, DidYouMean(s, choices))
}

func quotesHint(in any) string {
	switch reflect.ValueOf(in).Kind() {
	case reflect.Map, reflect.Slice:
		return ""
	}
	return "put it in quotes"
}

// word decodes what has UnmarshalText.
func (d *decoding) word(at spot, in any, out reflect.Value) {
	s, ok := textOf(in)
	if !ok {
		d.add(at, wants(at, in, article(wordOf(out.Type()))), quotesHint(in))
		return
	}
	fresh := reflect.New(out.Type())
	if err := fresh.Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s)); err != nil {
		text := errorText(err)
		if at.secret {
			text = "is no " + wordOf(out.Type())
		}
		d.add(at, text, "")
		return
	}
	out.Set(fresh.Elem())
}

// errorText leaves out the kind of an error that stands behind its text: it is for
// errors.Is and says nothing new to people.
func errorText(err error) string {
	text := err.Error()
	if inner := errors.Unwrap(err); inner != nil {
		if short, ok := strings.CutSuffix(text, ": "+inner.Error()); ok && short != "" {
			return short
		}
	}
	return text
}

func (d *decoding) boolean(at spot, in any, out reflect.Value) {
	switch v := in.(type) {
	case bool:
		out.SetBool(v)
		return
	case Text:
		if v == "true" || v == "false" {
			out.SetBool(v == "true")
			return
		}
	}
	s, _ := textOf(in)
	d.add(at, wants(at, in, "true or false"), boolHint(s))
}

func boolHint(s string) string {
	switch strings.ToLower(s) {
	case "true", "yes", "on", "1", "y", "enabled":
		return "write true, without quotes"
	case "false", "no", "off", "0", "n", "disabled":
		return "write false, without quotes"
	}
	return ""
}

func (d *decoding) number(at spot, in any, out reflect.Value) {
	f, ok := floatOf(in)
	switch {
	case !ok:
		d.add(at, wants(at, in, "a number"), numberHint(in))
	case math.IsNaN(f) || math.IsInf(f, 0) || out.OverflowFloat(f):
		d.add(at, wants(at, in, "a number within bounds"), "")
	default:
		out.SetFloat(f)
	}
}

func floatOf(in any) (float64, bool) {
	if s, ok := in.(Text); ok {
		f, err := strconv.ParseFloat(string(s), 64)
		return f, err == nil
	}
	switch v := reflect.ValueOf(in); {
	case v.CanInt():
		return float64(v.Int()), true
	case v.CanUint():
		return float64(v.Uint()), true
	case v.CanFloat():
		return v.Float(), true
	}
	return 0, false
}

// numberHint helps who put a number in quotes.
func numberHint(in any) string {
	if s, ok := in.(string); ok {
		if _, err := strconv.ParseFloat(s, 64); err == nil {
			return "leave out the quotes"
		}
	}
	return ""
}
