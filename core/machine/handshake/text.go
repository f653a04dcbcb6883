package handshake

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// MaxText is the longest text of a Refusal, in bytes.
const MaxText = 512

// printable is text on one line, without anything that moves a cursor or hides, cut
// at MaxText bytes.
func printable(text string) string {
	out := make([]byte, 0, min(len(text), MaxText))
	for _, r := range text {
		if !unicode.IsPrint(r) {
			r = ' '
		}
		if len(out)+utf8.RuneLen(r) > MaxText {
			break
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out)
}

// quote is what a peer sent, short enough for two of them to fit into one text.
func quote(s string) string {
	const most = 48
	if len(s) > most {
		s = s[:most] + "..."
	}
	return fmt.Sprintf("%q", s)
}
