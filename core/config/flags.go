package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/settings"
)

// readFlags makes a layer of the flags, all but --listen.
func readFlags(src Sources, root settings.Field) *layer {
	l := newLayer(Origin{Layer: LayerFlag, Name: "--set"})
	for _, set := range src.Sets {
		l.set(set, root)
	}
	if src.Name != "" {
		l.put([]string{"node", "name"}, settings.Text(src.Name), Origin{Layer: LayerFlag, Name: "--name"})
	}
	if src.DataDir != "" {
		l.put([]string{"node", "data_dir"}, settings.Text(src.DataDir), Origin{Layer: LayerFlag, Name: "--data-dir"})
	}
	if len(src.Join) > 0 {
		l.join(src.Join)
	}
	return l
}

// join is the flag --join. Next to a --set of the same list one of the two would be
// lost, and nobody could tell which.
func (l *layer) join(nodes []string) {
	o := Origin{Layer: LayerFlag, Name: "--join"}
	section, _ := l.values["bootstrap"].(map[string]any)
	if _, set := section["contact_nodes"]; set {
		l.add(o, "bootstrap.contact_nodes", "is set by --set too", "keep one of the two; --join may be repeated")
		return
	}
	l.put([]string{"bootstrap", "contact_nodes"}, settings.Text(strings.Join(nodes, ",")), o)
}

// set reads one key=value.
func (l *layer) set(text string, root settings.Field) {
	keys, raw, value, err := splitSet(text, root)
	o := Origin{Layer: LayerFlag, Name: "--set " + raw}
	if err != nil {
		l.add(o, "", err.Error(), `write --set key=value, as --set node.name=a@10.0.0.1; put a part with dots in double quotes`)
		return
	}
	for i, key := range keys {
		if !l.goodKey(o, joinKeys(keys[:i]), key) {
			return
		}
	}
	l.setText(o, keys, value, root)
}

var (
	errNoEquals  = errors.New("no = after the key")
	errQuote     = errors.New("a quote in the key is not closed")
	errEmptyPart = errors.New("an empty part in the key")
)

// splitSet takes key=value apart. raw is the key as it was written.
func splitSet(text string, root settings.Field) (keys []string, raw, value string, err error) {
	rest := text
	for {
		if f, ok := lookup(root, keys...); ok && len(keys) > 0 && holdsValues(f) && !strings.HasPrefix(rest, `"`) {
			key, value, ok := strings.Cut(rest, "=")
			return done(append(keys, key), text, value, ok)
		}
		key, after, err := nextKey(rest)
		if err != nil {
			return nil, clip(text), "", err
		}
		keys = append(keys, key)
		if tail, more := strings.CutPrefix(after, "."); more {
			rest = tail
			continue
		}
		value, ok := strings.CutPrefix(after, "=")
		return done(keys, text, value, ok)
	}
}

func done(keys []string, text, value string, ok bool) ([]string, string, string, error) {
	switch {
	case !ok:
		return nil, clip(text), "", errNoEquals
	case keys[len(keys)-1] == "":
		return nil, clip(text), "", errEmptyPart
	}
	return keys, text[:len(text)-len(value)-1], value, nil
}

// holdsValues is true for a map of plain values: all that follows its name is a key.
func holdsValues(f settings.Field) bool {
	return f.Kind == settings.KindMap && f.Item.Kind != settings.KindSection && f.Item.Kind != settings.KindMap
}

// nextKey is one part of a dotted key, and what stands behind it.
func nextKey(s string) (key, after string, err error) {
	if inner, quoted := strings.CutPrefix(s, `"`); quoted {
		key, after, closed := strings.Cut(inner, `"`)
		if !closed {
			return "", "", errQuote
		}
		return key, after, notEmpty(key)
	}
	end := strings.IndexAny(s, ".=")
	if end < 0 {
		return "", "", errNoEquals
	}
	return s[:end], s[end:], notEmpty(s[:end])
}

func notEmpty(key string) error {
	if key == "" {
		return errEmptyPart
	}
	return nil
}

// listen is the flag --listen: a setting of whichever transport is in use.
func (l *layer) listen(address string, root settings.Field, transport []string) {
	o := Origin{Layer: LayerFlag, Name: "--listen"}
	if address == "" || len(transport) != 1 {
		return
	}
	keys := []string{string(plugin.Transport), transport[0], "listen"}
	if _, builtin := lookup(root, keys[:2]...); !builtin {
		return // the check of transport.use reports that
	}
	if _, ok := lookup(root, keys...); !ok {
		l.add(o, joinKeys(keys[:2]), fmt.Sprintf("the transport %q has no setting \"listen\"", transport[0]), "leave out --listen")
		return
	}
	l.put(keys, settings.Text(address), o)
}
