package settings

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

func (d *decoding) duration(at spot, in any, out reflect.Value) {
	if v, ok := in.(time.Duration); ok {
		out.SetInt(int64(v))
		return
	}
	s, ok := textOf(in)
	if !ok {
		d.noDuration(at, in)
		return
	}
	v, err := time.ParseDuration(s)
	if err == nil && (s == "0" || s == "+0" || s == "-0") {
		err = strconv.ErrSyntax // Go lets zero go without a unit; we do not
	}
	if err != nil {
		text := "is no duration"
		if !at.secret {
			text = fmt.Sprintf("%q is no duration", s)
		}
		d.add(at, text, durationHint(s))
		return
	}
	out.SetInt(int64(v))
}

func (d *decoding) noDuration(at spot, in any) {
	if _, ok := floatOf(in); ok {
		digits := fmt.Sprint(in)
		d.add(at, "wants a duration, got "+called(at, in)+" without a unit", unitHint(at, digits))
		return
	}
	d.add(at, wants(at, in, "a duration"), "write a number with a unit, as 5s or 1m30s")
}

func unitHint(at spot, digits string) string {
	if at.secret {
		return "write it with a unit, as 5s"
	}
	return fmt.Sprintf("write it with a unit, as %ss", digits)
}

// durationHint knows how people spell units.
func durationHint(s string) string {
	digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
	unit := strings.ToLower(strings.TrimSpace(s[len(digits):]))
	n, err := strconv.ParseFloat(digits, 64)
	switch {
	case err != nil:
		return "write a number with a unit, as 5s or 1m30s"
	case unit == "":
		return "write it with a unit, as " + digits + "s"
	case strings.HasPrefix("days", unit):
		return fmt.Sprintf("did you mean %q?", strconv.FormatFloat(n*24, 'f', -1, 64)+"h")
	}
	if short := shortUnit(unit); short != "" {
		return fmt.Sprintf("did you mean %q?", digits+short)
	}
	return "the units are ms, s, m and h, as in 5s or 1m30s"
}

func shortUnit(unit string) string {
	switch unit {
	case "ms", "msec", "msecs", "milli", "millis", "millisecond", "milliseconds":
		return "ms"
	case "s", "sec", "secs", "second", "seconds":
		return "s"
	case "m", "min", "mins", "minute", "minutes":
		return "m"
	case "h", "hr", "hrs", "hour", "hours":
		return "h"
	}
	return ""
}

// DurationText is the shortest spelling of a duration: 5m, not 5m0s.
func DurationText(v time.Duration) string {
	s := v.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// durationOf reads a duration out of a field.
func durationOf(v reflect.Value) string { return DurationText(time.Duration(v.Int())) }
