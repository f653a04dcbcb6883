package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/barrelp2p/barrel/interfaces/settings"
	"go.yaml.in/yaml/v4"
)

// maxAliased bounds what aliases may unfold to, in values.
const maxAliased = 10_000

func (l *layer) parseYAML(text []byte) {
	root, err := yamlRoot(text)
	if err != nil {
		l.yamlTrouble(text, err)
		l.suspectExtension()
		return
	}
	if root == nil {
		return
	}
	r := &yamlReader{layer: l, open: map[*yaml.Node]bool{}}
	switch v := r.value("", root).(type) {
	case nil:
	case map[string]any:
		l.values = v
	default:
		l.notSections(l.at(root.Line, root.Column))
	}
	l.suspectExtension()
}

var errSecondDocument = errors.New("a second document starts here")

// yamlRoot is the only document of a text, or nil if there is none.
func yamlRoot(text []byte) (*yaml.Node, error) {
	loader, err := yaml.NewLoader(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	var doc, second yaml.Node
	if err := loader.Load(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if err := loader.Load(&second); err == nil {
		return nil, yaml.NewLoadError(yaml.ComposerStage, errSecondDocument.Error(),
			yaml.Mark{Line: second.Line, Column: second.Column}, errSecondDocument)
	} else if !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	return doc.Content[0], nil
}

// yamlTrouble says what the parser says, and what people did when it says that.
func (l *layer) yamlTrouble(text []byte, err error) {
	var e *yaml.LoadError
	if !errors.As(err, &e) {
		l.add(l.origin, "", "no YAML: "+err.Error(), "")
		return
	}
	place := l.at(e.Mark.Line, e.Mark.Column)
	switch {
	case errors.Is(err, errSecondDocument):
		l.add(place, "", e.Message, "one file is one document; leave out the line ---")
	case strings.Contains(indentOf(text, e.Mark.Line), "\t"):
		l.add(place, "", "the line is indented with a tab", "indent with spaces")
	default:
		said := e.Message
		if e.ContextMsg != "" {
			said = e.ContextMsg + ": " + said
		}
		l.add(place, "", "no YAML: "+said, yamlHint(e.Message))
	}
}

func yamlHint(message string) string {
	switch {
	case strings.Contains(message, "mapping values are not allowed"):
		return "put text with a colon in quotes, and indent keys of one section alike"
	case strings.Contains(message, "did not find expected"):
		return "look for a missing bracket, quote or comma, or a wrong indent, here or just above"
	case strings.Contains(message, "could not find expected ':'"):
		return "write key: value"
	}
	return ""
}

func indentOf(text []byte, line int) string {
	lines := bytes.SplitN(text, []byte("\n"), line+1)
	if line < 1 || line > len(lines) {
		return ""
	}
	this := lines[line-1]
	return string(this[:len(this)-len(bytes.TrimLeft(this, " \t"))])
}

// yamlReader turns nodes into values and remembers the place of each key and item.
type yamlReader struct {
	*layer
	open    map[*yaml.Node]bool // anchors that are being unfolded
	aliased int                 // values that came out of aliases
	depth   int
}

func (r *yamlReader) value(path string, n *yaml.Node) any {
	place := r.at(n.Line, n.Column)
	if r.depth++; r.depth > maxDepth {
		r.add(place, path, tooDeep(), "")
		r.depth--
		return nil
	}
	defer func() { r.depth-- }()
	if len(r.open) > 0 && !r.count(place, path) {
		return nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		return r.mapping(path, n)
	case yaml.SequenceNode:
		items := make([]any, 0, len(n.Content))
		for i, item := range n.Content {
			below := settings.Index(path, i)
			r.origins[below] = r.at(item.Line, item.Column)
			items = append(items, r.value(below, item))
		}
		return items
	case yaml.AliasNode:
		return r.alias(path, n)
	}
	return r.scalar(path, n)
}

func (r *yamlReader) count(place Origin, path string) bool {
	r.aliased++
	if r.aliased == maxAliased {
		r.add(place, path, fmt.Sprintf("aliases unfold to more than %d values", maxAliased), "write the values out")
	}
	return r.aliased < maxAliased
}

func (r *yamlReader) alias(path string, n *yaml.Node) any {
	if r.open[n.Alias] {
		r.add(r.at(n.Line, n.Column), path, fmt.Sprintf("the alias *%s contains itself", n.Value), "")
		return nil
	}
	r.open[n.Alias] = true
	defer delete(r.open, n.Alias)
	return r.value(path, n.Alias)
}

func (r *yamlReader) mapping(path string, n *yaml.Node) any {
	m, seen := map[string]any{}, map[string]int{}
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		place := r.at(key.Line, key.Column)
		switch first := seen[key.Value]; {
		case key.ShortTag() == "!!merge":
			merges = append(merges, value)
		case key.Kind != yaml.ScalarNode:
			r.add(place, path, "a key must be text", "write key: value")
		case !r.goodKey(place, path, key.Value):
		case first > 0:
			r.add(place, path, fmt.Sprintf("duplicate key %q, first in line %d", key.Value, first), "keep one of the two")
		default:
			seen[key.Value] = key.Line
			r.keyed(m, path, key, value)
		}
	}
	for _, from := range merges {
		r.mergeKey(m, path, from)
	}
	return m
}

func (r *yamlReader) keyed(m map[string]any, path string, key, value *yaml.Node) {
	below := settings.Join(path, key.Value)
	place := r.at(key.Line, key.Column)
	place.section = value.Kind == yaml.MappingNode || value.Kind == yaml.AliasNode && value.Alias.Kind == yaml.MappingNode
	place.quoted = value.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0
	if _, marked := r.origins[below]; !marked {
		r.origins[below] = place
	}
	m[key.Value] = r.value(below, value)
}

// mergeKey adds what << names to the keys that are not written out.
func (r *yamlReader) mergeKey(m map[string]any, path string, from *yaml.Node) {
	named := r.value(path, from)
	sources, ok := named.([]any)
	if !ok {
		sources = []any{named}
	}
	for _, source := range sources {
		more, ok := source.(map[string]any)
		if !ok {
			r.add(r.at(from.Line, from.Column), path, "<< wants a section or a list of sections", "write <<: *name")
			return
		}
		for key, v := range more {
			if _, written := m[key]; !written {
				m[key] = v
			}
		}
	}
}
