package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/safefile"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

var (
	// ErrNoPin: there is no pin of that node to remove.
	ErrNoPin = errors.New("no such pin")
	// ErrPinsFull: PinIfAbsent pins nobody new, because MaxPins are pinned already.
	ErrPinsFull = errors.New("pin store is full")
)

// MaxPins bounds what strangers can make a node store under a trust plugin that pins
// by itself: PinIfAbsent refuses to go beyond it. With two small files for each pin
// that is about 160 MB on a common file system. Put is not bound by it.
const MaxPins = 20_000

// maxPinned is the longest node name that can be pinned, in bytes: with its ending it
// must still be a file name.
const maxPinned = 255 - len(pinExt)

const pinExt = ".pub"

// Pins is the pin store of a node: one file for each peer, keys/trusted/<node>.pub, the
// raw 32 bytes of its public key. It holds nothing in memory that an operator could
// change on disk: each lookup reads the file, so that a key that is copied into the
// folder counts at the next handshake. It works on the folder of a running node and on
// that of one that is stopped; any number of processes may use one folder at once.
//
// Pins is a trust.Pins, and has the verbs of an operator besides: Put, Remove, List.
type Pins struct {
	keys layout
	max  int

	mu      sync.Mutex // one writer of this process at a time; lookups do not wait
	count   int        // how many pins there are, as far as this process knows
	counted time.Time  // when the folder had last changed as it was counted
}

var _ trust.Pins = (*Pins)(nil)

// OpenPins returns the pin store below dataDir, which must exist: a mistyped path gets
// an error instead of an empty store. The folder of the pins is made where missing.
func OpenPins(dataDir string) (*Pins, error) {
	if _, err := os.Stat(dataDir); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: no such data folder: start the node once, or make it with \"mkdir -m 700 %s\": %w", dataDir, dataDir, fs.ErrNotExist)
		}
		return nil, err
	}
	p := &Pins{keys: layoutOf(dataDir), max: MaxPins}
	for _, dir := range []string{p.keys.trusted(), p.keys.meta()} {
		if _, err := safefile.EnsureDir(dir, secretDir); err != nil {
			return nil, err
		}
		// Another process may be writing a pin now, but not one since an hour.
		if _, err := safefile.Sweep(dir, time.Now().Add(-time.Hour)); err != nil {
			return nil, err
		}
	}
	return p, p.recount()
}

// Lookup returns the pin of node as it is on disk now. A pin that nobody remembers
// making, such as a file that an operator copied, has the source "file" and the time
// of the file. Whatever keeps the store from being read is an error: a file that is no
// key, a folder that is gone; never "there is none".
func (p *Pins) Lookup(node name.Node) (trust.Pin, bool, error) {
	path, err := p.path(node)
	if err != nil {
		return trust.Pin{}, false, nil //nolint:nilerr // a name that cannot be a file name cannot be pinned, so it is not
	}
	pin, err := p.read(node, path)
	if errors.Is(err, fs.ErrNotExist) {
		return trust.Pin{}, false, p.mustExist()
	}
	return pin, err == nil, err
}

func (p *Pins) read(node name.Node, path string) (trust.Pin, error) {
	key, err := readKey(path, "remove it, or put the peer's node.pub in its place")
	if err != nil {
		return trust.Pin{}, err
	}
	return p.describe(node, key, path)
}

// mustExist tells a missing pin from a missing store.
func (p *Pins) mustExist() error {
	_, err := os.Stat(p.keys.trusted())
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: the folder is gone: put it back, or restart the node to begin with no pins: %w", p.keys.trusted(), err)
	}
	return err
}

// PinIfAbsent pins key for node unless a pin exists: nil if it is the same key,
// trust.ErrKeyMismatch if it is another. Of several keys for one node at the same time,
// also from different processes, exactly one is pinned. The error is ErrPinsFull if
// MaxPins are pinned already, and trust.ErrUntrusted if node can never be pinned,
// because its name is too long for a file.
func (p *Pins) PinIfAbsent(node name.Node, key trust.Key, source string) error {
	path, err := p.path(node)
	if err != nil {
		return err
	}
	if _, err := notZero(key); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if done, err := p.compare(node, key); done || err != nil {
		return err
	}
	if err := p.room(); err != nil {
		return err
	}
	return p.pin(node, key, source, path)
}

// compare reports whether node has a pin already, and whether it is another.
func (p *Pins) compare(node name.Node, key trust.Key) (done bool, err error) {
	pin, found, err := p.Lookup(node)
	if err != nil || !found {
		return false, err
	}
	if pin.Key != key {
		return true, fmt.Errorf("pin of %s: %w", node, trust.ErrKeyMismatch)
	}
	return true, nil
}

// pin writes a pin that was not there a moment ago. Who made it is written first, so
// that a pin is without only after a crash; it is ignored until the pin has that key.
func (p *Pins) pin(node name.Node, key trust.Key, source, path string) error {
	if err := p.remember(node, key, source); err != nil {
		return err
	}
	err := safefile.Create(path, key[:], secretFile)
	switch {
	case errors.Is(err, fs.ErrExist):
		return p.outrun(node, key)
	case err == nil:
		p.count++
		return nil
	}
	if left := p.forget(node); left != nil {
		return fmt.Errorf("%w; and %w", err, left)
	}
	return err
}

// outrun is for a pin that another process made first.
func (p *Pins) outrun(node name.Node, key trust.Key) error {
	done, err := p.compare(node, key)
	if err == nil && !done {
		return fmt.Errorf("pin of %s: made and removed by others meanwhile: try again", node)
	}
	return err
}

// room refuses when the store is full. It counts again only if the folder has changed
// since, so that a crowd before a full store costs no more than a look at the folder.
func (p *Pins) room() error {
	if p.count < p.max {
		return nil
	}
	info, err := os.Stat(p.keys.trusted())
	if err != nil {
		return err
	}
	if !info.ModTime().Equal(p.counted) {
		if err := p.recount(); err != nil {
			return err
		}
	}
	if p.count >= p.max {
		return fmt.Errorf("%s: %w: %d pins, at most %d are made without an operator: remove what is not needed with \"barrel trust remove\"",
			p.keys.trusted(), ErrPinsFull, p.count, p.max)
	}
	return nil
}

// miscount makes the next newcomer count the pins again.
func (p *Pins) miscount() { p.count, p.counted = p.max, time.Time{} }

// Put pins key for node and replaces what was pinned: the verb of an operator, never of
// a peer.
func (p *Pins) Put(node name.Node, key trust.Key, source string) error {
	path, err := p.path(node)
	if err != nil {
		return err
	}
	if _, err := notZero(key); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.remember(node, key, source); err != nil {
		return err
	}
	p.miscount()
	return safefile.Write(path, key[:], secretFile)
}

// Remove removes the pin of node, readable or not, so that its next key counts as
// unknown. Without a pin the error is ErrNoPin.
func (p *Pins) Remove(node name.Node) error {
	path, err := p.path(node)
	if err != nil {
		return fmt.Errorf("%s: %w", node, ErrNoPin)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.miscount()
	err = safefile.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w: \"barrel trust list\" shows those there are", node, ErrNoPin)
	}
	if err != nil {
		return err
	}
	return p.forget(node)
}

// path is the file of node's pin. The error wraps trust.ErrUntrusted and has no path
// in it, because it may be told to the peer.
func (p *Pins) path(node name.Node) (string, error) {
	if node.IsZero() {
		return "", fmt.Errorf("%w: a node without a name cannot be pinned", trust.ErrUntrusted)
	}
	if n := len(node.String()); n > maxPinned {
		return "", fmt.Errorf("%w: %.32s... cannot be pinned: its name has %d bytes, at most %d: give the node a shorter name",
			trust.ErrUntrusted, node, n, maxPinned)
	}
	return safefile.Join(p.keys.trusted(), node.String()+pinExt)
}
