package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// List returns all pins, ordered by node, and for each file that looks like a pin and
// is none the reason why it was skipped: a name that is no node, a content that is no
// key. Files that do not end in .pub are none of its business.
func (p *Pins) List() (pins []trust.Pin, skipped []error, err error) {
	files, err := p.files()
	if err != nil {
		return nil, nil, err
	}
	for _, file := range files {
		pin, found, err := p.fromFile(file)
		switch {
		case err != nil:
			skipped = append(skipped, err)
		case found:
			pins = append(pins, pin)
		}
	}
	slices.SortFunc(pins, func(a, b trust.Pin) int { return a.Node.Compare(b.Node) })
	return pins, skipped, nil
}

// fromFile is not found for a file that is removed at this moment.
func (p *Pins) fromFile(file string) (trust.Pin, bool, error) {
	node, err := pinnedNode(file)
	if err != nil {
		return trust.Pin{}, false, fmt.Errorf("%s: %w", filepath.Join(p.keys.trusted(), file), err)
	}
	return p.Lookup(node)
}

// pinnedNode is the node that a file pins. A name that is not spelled as the node is
// would never be looked up.
func pinnedNode(file string) (name.Node, error) {
	node, err := name.ParseNode(strings.TrimSuffix(file, pinExt))
	if err != nil {
		return name.Node{}, fmt.Errorf("pins nobody: call it <name>@<host>%s: %w", pinExt, err)
	}
	if want := node.String() + pinExt; file != want {
		return name.Node{}, fmt.Errorf("pins nobody: rename it to %q", want)
	}
	return node, nil
}

// files lists the names of the files that end as pins do, sorted.
func (p *Pins) files() ([]string, error) {
	entries, err := os.ReadDir(p.keys.trusted())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, p.mustExist()
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), pinExt) {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

// settled is how old a change of a folder must be for the next one to have another
// time for sure: file systems keep time in ticks, some of them a second long.
const settled = 2 * time.Second

// recount counts the pins on disk. It notes when the folder had last changed before it
// counts, so that a change in between is counted again; and not at all if that was just
// now, because the next change could bear the same time.
func (p *Pins) recount() error {
	info, err := os.Stat(p.keys.trusted())
	if err != nil {
		return err
	}
	files, err := p.files()
	if err != nil {
		return err
	}
	p.count, p.counted = len(files), info.ModTime()
	if time.Since(p.counted) < settled {
		p.counted = time.Time{}
	}
	return nil
}
