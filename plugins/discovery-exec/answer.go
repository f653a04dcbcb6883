package discoveryexec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// The bounds on what a command may print, in bytes, and on how many addresses count.
const (
	maxOutput    = 64 << 10
	maxComplaint = 4 << 10
	maxEndpoints = 64
)

// bounded keeps the beginning of what is written to it.
type bounded struct {
	text bytes.Buffer
	most int
	over bool
}

// Write takes all and keeps what there is room for.
func (b *bounded) Write(p []byte) (int, error) {
	room := b.most - b.text.Len()
	if len(p) > room {
		b.over = true
		b.text.Write(p[:room])
		return len(p), nil
	}
	return b.text.Write(p)
}

// document is an answer in JSON.
type document struct {
	Endpoints []string `json:"endpoints"`
	TTL       string   `json:"ttl"`
}

// parse reads what a command printed: a JSON object, a JSON list of addresses, or
// addresses in words and lines, of which those after a # do not count.
func parse(out []byte, v *version) (discovery.Answer, error) {
	text := bytes.TrimSpace(out)
	var doc document
	var err error
	switch {
	case bytes.HasPrefix(text, []byte("{")):
		err = json.Unmarshal(text, &doc)
	case isList(text):
		err = json.Unmarshal(text, &doc.Endpoints)
	default:
		doc.Endpoints = words(string(text))
	}
	if err != nil {
		return discovery.Answer{}, fmt.Errorf("%s: what it printed is no JSON: %w", v.Command, err)
	}
	return doc.answer(v)
}

// isList tells a JSON list from an IPv6 address in brackets.
func isList(text []byte) bool {
	return bytes.HasPrefix(text, []byte("[")) && bytes.HasSuffix(text, []byte("]"))
}

func words(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		all = append(all, strings.Fields(line)...)
	}
	return all
}

func (d document) answer(v *version) (discovery.Answer, error) {
	if len(d.Endpoints) == 0 {
		return discovery.Answer{}, discovery.ErrNotFound
	}
	if len(d.Endpoints) > maxEndpoints {
		return discovery.Answer{}, fmt.Errorf("%s: it printed %d addresses, at most %d", v.Command, len(d.Endpoints), maxEndpoints)
	}
	answer := discovery.Answer{TTL: v.TTL}
	for _, text := range d.Endpoints {
		address, err := name.ParseAddress(text)
		if err != nil {
			return discovery.Answer{}, fmt.Errorf("%s: %s", v.Command, printable(err.Error()))
		}
		answer.Endpoints = append(answer.Endpoints, address)
	}
	if d.TTL != "" {
		ttl, err := time.ParseDuration(d.TTL)
		if err != nil || ttl < 0 {
			return discovery.Answer{}, fmt.Errorf("%s: ttl %q is no duration: write it as 30s", v.Command, printable(d.TTL))
		}
		answer.TTL = ttl
	}
	return answer, nil
}

// printable is what a command said as text of one line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
