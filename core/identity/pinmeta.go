package identity

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/safefile"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// pinMeta is what is remembered of a pin beside its key, in trusted/.meta/<node>, as
// JSON. It counts only while the pin has the key it speaks of.
type pinMeta struct {
	Fingerprint string    `json:"fingerprint"`
	Pinned      time.Time `json:"pinned"`
	Source      string    `json:"source"`
}

// maxMeta bounds what is read of one, in bytes.
const maxMeta = 4096

func (l layout) meta() string { return filepath.Join(l.trusted(), ".meta") }

func (p *Pins) metaPath(node name.Node) string { return filepath.Join(p.keys.meta(), node.String()) }

// remember writes what is shown of a pin. It is a note: a pin without it is no less one.
func (p *Pins) remember(node name.Node, key trust.Key, source string) error {
	meta := pinMeta{Fingerprint: key.Fingerprint(), Pinned: time.Now().UTC(), Source: source}
	text, err := json.Marshal(meta)
	if err != nil {
		return err
	}
	if _, err := safefile.EnsureDir(p.keys.meta(), secretDir); err != nil {
		return err
	}
	return safefile.Note(p.metaPath(node), append(text, '\n'), secretFile)
}

func (p *Pins) forget(node name.Node) error {
	if err := safefile.Remove(p.metaPath(node)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// describe adds to a key what is known of its pin. Metadata that is lost, torn or of
// another key is no reason to doubt the pin: then the file speaks for itself.
func (p *Pins) describe(node name.Node, key trust.Key, path string) (trust.Pin, error) {
	pin := trust.Pin{Node: node, Key: key}
	if meta, ok := p.recall(node); ok && meta.Fingerprint == key.Fingerprint() {
		pin.Pinned, pin.Source = meta.Pinned.UTC(), meta.Source
		return pin, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return trust.Pin{}, err
	}
	pin.Pinned, pin.Source = info.ModTime().UTC(), "file"
	return pin, nil
}

func (p *Pins) recall(node name.Node) (meta pinMeta, ok bool) {
	text, err := safefile.Read(p.metaPath(node), maxMeta)
	if err != nil {
		return pinMeta{}, false
	}
	return meta, json.Unmarshal(text, &meta) == nil
}
