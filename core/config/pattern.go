package config

import (
	"fmt"
	"strings"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// Pattern matches node names by halves: either half of name@host may be a star as a
// whole, so probe@* is the nodes called probe on any host. It is comparable; the zero
// Pattern matches nothing.
type Pattern struct{ base, host string }

// ParsePattern reads a pattern. The error wraps name.ErrInvalid.
func ParsePattern(s string) (Pattern, error) {
	base, host, ok := strings.Cut(s, "@")
	if !ok {
		return Pattern{}, fmt.Errorf("pattern %q: no @; write name@host, either of them or both *: %w", s, name.ErrInvalid)
	}
	node, err := name.ParseNode(instead(base, "any") + "@" + instead(host, "any"))
	if err != nil {
		return Pattern{}, fmt.Errorf("pattern %q: a half is neither * nor right in a node name; write it as probe@*: %w", s, name.ErrInvalid)
	}
	p := Pattern{base, host}
	if host != "*" {
		p.host = node.Host()
	}
	return p, nil
}

func instead(half, word string) string {
	if half == "*" {
		return word
	}
	return half
}

// Match reports whether the pattern covers a node.
func (p Pattern) Match(n name.Node) bool {
	if n.IsZero() || p == (Pattern{}) {
		return false
	}
	return (p.base == "*" || p.base == n.Base()) && (p.host == "*" || p.host == n.Host())
}

// String is the text that ParsePattern reads, or "" for the zero Pattern.
func (p Pattern) String() string {
	switch {
	case p == Pattern{}:
		return ""
	case strings.Contains(p.host, ":"):
		return p.base + "@[" + p.host + "]"
	}
	return p.base + "@" + p.host
}

// MarshalText makes Pattern usable in settings and JSON.
func (p Pattern) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText is ParsePattern.
func (p *Pattern) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePattern(string(text))
	return err
}
