package settings

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// whole is an integer from -2^63 to 2^64-1.
type whole struct {
	negative bool
	size     uint64 // the value, or for a negative one how far it is below zero
}

func (w whole) String() string {
	if w.negative {
		return "-" + strconv.FormatUint(w.size, 10)
	}
	return strconv.FormatUint(w.size, 10)
}

func wholeOf(in any) (whole, bool) {
	if s, ok := in.(Text); ok {
		digits, negative := strings.CutPrefix(string(s), "-")
		n, err := strconv.ParseUint(digits, 10, 64)
		return whole{negative && n > 0, n}, err == nil
	}
	switch v := reflect.ValueOf(in); {
	case v.CanInt() && v.Int() < 0:
		return whole{true, -uint64(v.Int())}, true
	case v.CanInt():
		return whole{false, uint64(v.Int())}, true
	case v.CanUint():
		return whole{false, v.Uint()}, true
	}
	return whole{}, false
}

func (d *decoding) integer(at spot, in any, out reflect.Value) {
	n, ok := wholeOf(in)
	if !ok {
		d.add(at, wants(at, in, "a whole number"), numberHint(in))
		return
	}
	lowest, highest := bounds(out.Type())
	switch shown := quote(at, n); {
	case n.negative && n.size > lowest:
		d.add(at, fmt.Sprintf("%s is too small", shown), "at least "+whole{lowest > 0, lowest}.String())
	case !n.negative && n.size > highest:
		d.add(at, fmt.Sprintf("%s is too large", shown), fmt.Sprintf("at most %d", highest))
	case out.CanUint():
		out.SetUint(n.size)
	case n.negative:
		out.SetInt(-int64(n.size))
	default:
		out.SetInt(int64(n.size))
	}
}

// bounds is how far an integer type reaches below and above zero.
func bounds(t reflect.Type) (below, above uint64) {
	if k := t.Kind(); k >= reflect.Uint && k <= reflect.Uintptr {
		return 0, math.MaxUint64 >> (64 - t.Bits())
	}
	below = 1 << (t.Bits() - 1)
	return below, below - 1
}
