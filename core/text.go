package core

import (
	"strconv"
	"strings"
	"time"
)

func gapEvent(count uint64) Event {
	return Event{
		Time: time.Now().UTC(), Kind: "node", Type: "gap", Reason: "this reader was too slow",
		Extra: map[string]string{"count": formatUint(count)},
	}
}

func formatUint(n uint64) string { return strconv.FormatUint(n, 10) }

// times is a count for people.
func times(n int) string {
	if n == 1 {
		return "once"
	}
	return strconv.Itoa(n) + " times"
}

// splitType takes "member up" apart.
func splitType(s string) (kind, what string) {
	kind, what, _ = strings.Cut(s, " ")
	return kind, what
}

// splitID takes "trust/tofu" apart.
func splitID(part string) (kind, plugin string) {
	kind, plugin, _ = strings.Cut(part, "/")
	return kind, plugin
}
