package config

import (
	"errors"
	"strings"

	"github.com/barrelp2p/barrel/interfaces/settings"
	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// parseTOML takes the values from the decoder, which knows all the rules, and the
// places from the syntax tree.
func (l *layer) parseTOML(text []byte) {
	m := map[string]any{}
	if err := toml.Unmarshal(text, &m); err != nil {
		l.tomlTrouble(err)
		return
	}
	if !l.shallow(m) {
		return
	}
	l.values = m
	r := &tomlReader{layer: l, lines: newLines(text), rows: map[string]int{}}
	r.parser.Reset(text)
	for r.parser.NextExpression() {
		r.expression(r.parser.Expression())
	}
	l.markSections("", m)
}

func (l *layer) tomlTrouble(err error) {
	said := "no TOML: " + strings.TrimPrefix(err.Error(), "toml: ")
	var e *toml.DecodeError
	if !errors.As(err, &e) {
		l.add(l.origin, "", said, "")
		return
	}
	l.add(l.at(e.Position()), strings.Join(e.Key(), "."), said, "")
}

// markSections checks the keys and says which of them only lead to others.
func (l *layer) markSections(path string, m map[string]any) {
	for key, v := range m {
		below := settings.Join(path, key)
		o := l.origins[below]
		if !l.goodKey(o, path, key) {
			delete(m, key)
			continue
		}
		if next, ok := v.(map[string]any); ok {
			l.markSections(below, next)
			o.section = true
			l.origins[below] = o
		}
	}
}

// tomlReader remembers the place of each key and item.
type tomlReader struct {
	*layer
	parser unstable.Parser
	lines  lines
	table  string         // the path of the table we are in
	rows   map[string]int // how many [[tables]] a path has
}

func (r *tomlReader) expression(e *unstable.Node) {
	switch e.Kind {
	case unstable.Table:
		r.table = r.keys("", e.Key())
	case unstable.ArrayTable:
		path := r.keys("", e.Key())
		if row := strings.LastIndexByte(path, '['); row >= 0 && r.rows[path[:row]] > 0 {
			path = path[:row] // keys went on into the last row
		}
		r.rows[path]++
		r.table = settings.Index(path, r.rows[path]-1)
	case unstable.KeyValue:
		r.keyValue(r.table, e)
	}
}

func (r *tomlReader) keyValue(path string, e *unstable.Node) {
	r.value(r.keys(path, e.Key()), e.Value())
}

// keys walks a dotted key; each part is at the first place that names it.
func (r *tomlReader) keys(path string, parts unstable.Iterator) string {
	for parts.Next() {
		n := parts.Node()
		path = settings.Join(path, string(n.Data))
		if _, marked := r.origins[path]; !marked {
			r.origins[path] = r.place(n)
		}
		if rows := r.rows[path]; rows > 0 {
			path = settings.Index(path, rows-1)
		}
	}
	return path
}

func (r *tomlReader) value(path string, n *unstable.Node) {
	children := n.Children()
	switch n.Kind {
	case unstable.InlineTable:
		for children.Next() {
			r.keyValue(path, children.Node())
		}
	case unstable.Array:
		for i := 0; children.Next(); i++ {
			below, item := settings.Index(path, i), children.Node()
			if item.Raw.Length > 0 {
				r.origins[below] = r.place(item)
			}
			r.value(below, item)
		}
	}
}

func (r *tomlReader) place(n *unstable.Node) Origin {
	return r.at(r.lines.position(int(n.Raw.Offset)))
}
