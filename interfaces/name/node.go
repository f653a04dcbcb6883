package name

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// ErrInvalid is the kind of every parse error of this package.
var ErrInvalid = errors.New("invalid name")

// MaxNode is the longest node name, in bytes.
const MaxNode = 255

// Node is the name of a node, name@host. The host is a DNS name, an IPv4 address
// or an IPv6 address in brackets; it is kept in one canonical spelling (lower case,
// shortest IPv6 form), so that equal names are equal values.
type Node struct{ text string }

// ParseNode reads name@host. The error wraps ErrInvalid and says what is wrong.
func ParseNode(s string) (Node, error) {
	if len(s) > MaxNode {
		return Node{}, invalid("node", s[:32]+"...", fmt.Sprintf("%d bytes; at most %d", len(s), MaxNode))
	}
	base, host, ok := strings.Cut(s, "@")
	if !ok {
		return Node{}, invalid("node", s, "no @; write name@host")
	}
	if err := checkLabel(base); err != "" {
		return Node{}, invalid("node", s, "name before @ "+err)
	}
	canonical, err := canonicalHost(host)
	if err != "" {
		return Node{}, invalid("node", s, "host after @ "+err)
	}
	return Node{text: base + "@" + canonical}, nil
}

// MustNode is ParseNode for names written in source code; it panics on an error.
func MustNode(s string) Node {
	n, err := ParseNode(s)
	if err != nil {
		panic(err)
	}
	return n
}

// String is the canonical text, or "" for the zero Node.
func (n Node) String() string { return n.text }

// IsZero reports whether n names no node.
func (n Node) IsZero() bool { return n.text == "" }

// Base is the part before the @.
func (n Node) Base() string { base, _, _ := strings.Cut(n.text, "@"); return base }

// Host is the part after the @, an IPv6 address without its brackets.
func (n Node) Host() string {
	_, host, _ := strings.Cut(n.text, "@")
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}

// MarshalText makes Node usable in JSON and YAML, also as a map key.
func (n Node) MarshalText() ([]byte, error) { return []byte(n.text), nil }

// UnmarshalText is ParseNode; empty text gives the zero Node.
func (n *Node) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*n = Node{}
		return nil
	}
	*n, err = ParseNode(string(text))
	return err
}

// Compare orders nodes by their text; it is the order of every list we print.
func (n Node) Compare(other Node) int { return strings.Compare(n.text, other.text) }

func canonicalHost(host string) (string, string) {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		return canonicalIPv6(inner)
	}
	if strings.Contains(host, ":") {
		return "", "has a colon; put an IPv6 address in brackets, as a@[fd00::1]"
	}
	if err := checkHostname(host); err != "" {
		return "", err
	}
	return strings.ToLower(host), ""
}

func canonicalIPv6(inner string) (string, string) {
	inner, ok := strings.CutSuffix(inner, "]")
	if !ok {
		return "", "has no closing bracket"
	}
	addr, err := netip.ParseAddr(inner)
	if err != nil || !addr.Is6() || addr.Zone() != "" {
		return "", "is no IPv6 address without zone"
	}
	if addr.Is4In6() {
		return addr.Unmap().String(), ""
	}
	return "[" + addr.String() + "]", ""
}

func checkHostname(host string) string {
	if strings.Contains(host, ".") && strings.Trim(host, "0123456789.") == "" {
		if _, err := netip.ParseAddr(host); err != nil {
			return "is no IPv4 address; write four numbers from 0 to 255, without leading zeros"
		}
	}
	for label := range strings.SplitSeq(host, ".") {
		if err := checkLabel(label); err != "" {
			return "has a part that " + err
		}
	}
	return ""
}

// checkLabel accepts 1 or more ASCII letters, digits, '_', '-' and '.', not starting
// with '.' or '-'; the answer is "" or what is wrong.
func checkLabel(s string) string {
	if s == "" {
		return "is empty"
	}
	if s[0] == '.' || s[0] == '-' {
		return fmt.Sprintf("starts with %q", s[0])
	}
	for _, c := range s {
		if !isWord(c) {
			return fmt.Sprintf("has %q; use letters, digits, '_', '-' and '.'", c)
		}
	}
	return ""
}

func isWord(c rune) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	}
	return c == '_' || c == '-' || c == '.'
}

func invalid(what, text, why string) error {
	return fmt.Errorf("%s %q: %s: %w", what, text, why, ErrInvalid)
}
