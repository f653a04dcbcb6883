package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

func mustOpenPins(t *testing.T, dataDir string) *Pins {
	t.Helper()
	p, err := OpenPins(dataDir)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func key(n byte) trust.Key { return trust.Key{n, 1: 1} }

func expectPin(t *testing.T, p *Pins, node string, want trust.Key, source string) trust.Pin {
	t.Helper()
	pin, found, err := p.Lookup(name.MustNode(node))
	if err != nil || !found || pin.Key != want || pin.Source != source || pin.Node.String() != node {
		t.Errorf("pin of %s: %+v, %v, %v; want key %s, source %s", node, pin, found, err, want, source)
	}
	return pin
}

func expectNoPin(t *testing.T, p *Pins, node string) {
	t.Helper()
	if pin, found, err := p.Lookup(name.MustNode(node)); found || err != nil {
		t.Errorf("pin of %s: %+v, %v, %v; want none", node, pin, found, err)
	}
}

func TestPinSurvivesRestartWithItsHistory(t *testing.T) {
	dataDir := t.TempDir()
	p := mustOpenPins(t, dataDir)
	before := time.Now()
	if err := p.PinIfAbsent(name.MustNode("a@[fd00::1]"), key(1), "tofu"); err != nil {
		t.Fatal(err)
	}
	pin := expectPin(t, mustOpenPins(t, dataDir), "a@[fd00::1]", key(1), "tofu")
	if pin.Pinned.Before(before.Add(-time.Second)) || pin.Pinned.After(time.Now()) || pin.Pinned.Location() != time.UTC {
		t.Errorf("pinned at %v", pin.Pinned)
	}
	path := filepath.Join(dataDir, "keys", "trusted", "a@[fd00::1].pub")
	expectMode(t, path, 0o600)
	expectMode(t, filepath.Dir(path), fs.ModeDir|0o700)
	if k := key(1); string(readFile(t, path)) != string(k[:]) {
		t.Error("the file is not the raw key")
	}
}

func TestPinIfAbsentNeverReplaces(t *testing.T) {
	p, node := mustOpenPins(t, t.TempDir()), name.MustNode("a@h")
	for range 2 {
		if err := p.PinIfAbsent(node, key(1), "tofu"); err != nil {
			t.Error(err)
		}
	}
	if err := p.PinIfAbsent(node, key(2), "tofu"); !errors.Is(err, trust.ErrKeyMismatch) {
		t.Errorf("other key: %v", err)
	}
	expectPin(t, p, "a@h", key(1), "tofu")
	if err := p.PinIfAbsent(name.MustNode("b@h"), trust.Key{}, "tofu"); !errors.Is(err, ErrBadKey) {
		t.Errorf("zero key: %v", err)
	}
	expectNoPin(t, p, "b@h")
}

func TestOperatorVerbs(t *testing.T) {
	p, node := mustOpenPins(t, t.TempDir()), name.MustNode("a@h")
	if err := p.Remove(node); !errors.Is(err, ErrNoPin) {
		t.Errorf("nothing to remove: %v", err)
	}
	for n := range byte(2) {
		if err := p.Put(node, key(n), "operator"); err != nil {
			t.Error(err)
		}
		expectPin(t, p, "a@h", key(n), "operator")
	}
	if err := p.Put(node, trust.Key{}, "operator"); !errors.Is(err, ErrBadKey) {
		t.Errorf("zero key: %v", err)
	}
	if err := p.Remove(node); err != nil {
		t.Error(err)
	}
	expectNoPin(t, p, "a@h")
	if left := snapshot(t, p.keys.trusted()); left != "" {
		t.Errorf("left behind: %s", left)
	}
}

func TestFilesOfAnOperatorCountAtOnce(t *testing.T) {
	p := mustOpenPins(t, t.TempDir())
	k := key(1)
	overwrite(t, p.keys.trusted(), "a@h.pub", k[:], 0o644)
	written := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := os.Chtimes(filepath.Join(p.keys.trusted(), "a@h.pub"), written, written); err != nil {
		t.Fatal(err)
	}
	if pin := expectPin(t, p, "a@h", key(1), "file"); !pin.Pinned.Equal(written) {
		t.Errorf("pinned at %v", pin.Pinned)
	}
	if err := p.PinIfAbsent(name.MustNode("a@h"), key(2), "tofu"); !errors.Is(err, trust.ErrKeyMismatch) {
		t.Errorf("other key: %v", err)
	}

	if err := p.Put(name.MustNode("b@h"), key(2), "operator"); err != nil {
		t.Fatal(err)
	}
	overwrite(t, p.keys.trusted(), "b@h.pub", k[:], 0o600) // what Put remembers is of another key
	expectPin(t, p, "b@h", key(1), "file")
	remove(t, p.keys.trusted(), "b@h.pub")
	expectNoPin(t, p, "b@h")
}

func TestLostMetadataLosesNoPin(t *testing.T) {
	p := mustOpenPins(t, t.TempDir())
	for _, node := range []string{"a@h", "b@h"} {
		if err := p.PinIfAbsent(name.MustNode(node), key(1), "tofu"); err != nil {
			t.Fatal(err)
		}
	}
	overwrite(t, p.keys.meta(), "a@h", []byte("{torn"), 0o600)
	expectPin(t, p, "a@h", key(1), "file")
	if err := os.RemoveAll(p.keys.meta()); err != nil {
		t.Fatal(err)
	}
	expectPin(t, p, "b@h", key(1), "file")
	if err := p.PinIfAbsent(name.MustNode("c@h"), key(1), "tofu"); err != nil {
		t.Error(err)
	}
	expectPin(t, p, "c@h", key(1), "tofu")
}

func TestWhatCannotBeReadIsNotAbsent(t *testing.T) {
	spoilers := map[string]func(t *testing.T, p *Pins){
		"short":  func(t *testing.T, p *Pins) { overwrite(t, p.keys.trusted(), "a@h.pub", make([]byte, 31), 0o600) },
		"empty":  func(t *testing.T, p *Pins) { overwrite(t, p.keys.trusted(), "a@h.pub", nil, 0o600) },
		"zeroed": func(t *testing.T, p *Pins) { overwrite(t, p.keys.trusted(), "a@h.pub", make([]byte, 32), 0o600) },
		"long":   func(t *testing.T, p *Pins) { overwrite(t, p.keys.trusted(), "a@h.pub", make([]byte, 33), 0o600) },
		"folder": func(t *testing.T, p *Pins) {
			if err := os.Mkdir(filepath.Join(p.keys.trusted(), "a@h.pub"), 0o700); err != nil {
				t.Fatal(err)
			}
		},
		"store gone": func(t *testing.T, p *Pins) {
			if err := os.RemoveAll(p.keys.trusted()); err != nil {
				t.Fatal(err)
			}
		},
	}
	for what, spoil := range spoilers {
		t.Run(what, func(t *testing.T) {
			p, node := mustOpenPins(t, t.TempDir()), name.MustNode("a@h")
			spoil(t, p)
			before := snapshot(t, p.keys.dir)
			if pin, found, err := p.Lookup(node); err == nil {
				t.Errorf("Lookup: %+v, %v", pin, found)
			}
			if err := p.PinIfAbsent(node, key(1), "tofu"); err == nil || errors.Is(err, trust.ErrKeyMismatch) {
				t.Errorf("PinIfAbsent: %v", err)
			}
			if after := snapshot(t, p.keys.dir); after != before {
				t.Errorf("changed the disk: %s", after)
			}
		})
	}
}

func TestListSkipsAndTellsWhatIsNoPin(t *testing.T) {
	p := mustOpenPins(t, t.TempDir())
	for _, node := range []string{"b@h", "a@h"} {
		if err := p.Put(name.MustNode(node), key(1), "operator"); err != nil {
			t.Fatal(err)
		}
	}
	good := key(1)
	overwrite(t, p.keys.trusted(), "short@h.pub", make([]byte, 31), 0o600)
	overwrite(t, p.keys.trusted(), "bad name.pub", good[:], 0o600)
	overwrite(t, p.keys.trusted(), "c@HOST.pub", good[:], 0o600)
	overwrite(t, p.keys.trusted(), "notes.txt", good[:], 0o600)
	pins, skipped, err := p.List()
	if err != nil || len(pins) != 2 || pins[0].Node.String() != "a@h" || pins[1].Node.String() != "b@h" {
		t.Errorf("pins %v, %v", pins, err)
	}
	want := []string{"bad name.pub: pins nobody", `c@HOST.pub: pins nobody: rename it to "c@host.pub"`, "short@h.pub: not a key: 31 bytes"}
	if len(skipped) != len(want) {
		t.Fatalf("skipped %v", skipped)
	}
	for i, text := range want {
		if !strings.Contains(skipped[i].Error(), text) {
			t.Errorf("skipped with %q, want %q", skipped[i], text)
		}
	}
}

func TestOneKeyWinsTheName(t *testing.T) {
	dataDir := t.TempDir()
	stores := []*Pins{mustOpenPins(t, dataDir), mustOpenPins(t, dataDir)} // as two processes have
	for round := range 10 {
		node := name.MustNode(fmt.Sprintf("n%d@h", round))
		results := make([]error, 8)
		var all sync.WaitGroup
		for i := range results {
			all.Go(func() { results[i] = stores[i%2].PinIfAbsent(node, key(byte(i)), "tofu") })
		}
		all.Wait()
		winner := -1
		for i, err := range results {
			switch {
			case err == nil && winner >= 0:
				t.Errorf("%s: %d and %d both won", node, winner, i)
			case err == nil:
				winner = i
			case !errors.Is(err, trust.ErrKeyMismatch):
				t.Errorf("%s: %v", node, err)
			}
		}
		if pin, found, err := stores[0].Lookup(node); err != nil || !found || winner < 0 || pin.Key != key(byte(winner)) {
			t.Errorf("%s: winner %d, pin %+v, %v", node, winner, pin, err)
		}
	}
}

func TestStrangersCannotFillTheDisk(t *testing.T) {
	p := mustOpenPins(t, t.TempDir())
	p.max = 3
	pin := func(node string) error { return p.PinIfAbsent(name.MustNode(node), key(1), "tofu") }
	for n := range 3 {
		if err := pin(fmt.Sprintf("n%d@h", n)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := pin("late@h"); !errors.Is(err, ErrPinsFull) {
			t.Errorf("one too many: %v", err)
		}
	}
	expectNoPin(t, p, "late@h")
	if err := pin("n1@h"); err != nil {
		t.Errorf("known peer: %v", err)
	}
	if err := p.Put(name.MustNode("operator@h"), key(1), "operator"); err != nil {
		t.Errorf("an operator may: %v", err)
	}
	if err := p.Remove(name.MustNode("n1@h")); err != nil {
		t.Fatal(err)
	}
	if err := pin("late@h"); !errors.Is(err, ErrPinsFull) {
		t.Errorf("three are left: %v", err)
	}
	if err := p.Remove(name.MustNode("n2@h")); err != nil {
		t.Fatal(err)
	}
	if err := pin("late@h"); err != nil {
		t.Errorf("two are left: %v", err)
	}
	remove(t, p.keys.trusted(), "n0@h.pub") // by hand
	if err := pin("later@h"); err != nil {
		t.Errorf("two are left: %v", err)
	}
}

func TestPinsOfAnOperatorCountAgainstTheLimitOfStrangers(t *testing.T) {
	p := mustOpenPins(t, t.TempDir())
	p.max = 2
	for _, node := range []string{"a@h", "b@h"} {
		if err := p.Put(name.MustNode(node), key(1), "operator"); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.PinIfAbsent(name.MustNode("c@h"), key(1), "tofu"); !errors.Is(err, ErrPinsFull) {
		t.Errorf("third: %v", err)
	}
}

func TestFullStoreNoticesAChangeByHand(t *testing.T) {
	p := mustOpenPins(t, t.TempDir())
	p.max = 1
	if err := p.PinIfAbsent(name.MustNode("a@h"), key(1), "tofu"); err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(p.keys.trusted(), past, past); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := p.PinIfAbsent(name.MustNode("b@h"), key(1), "tofu"); !errors.Is(err, ErrPinsFull) {
			t.Fatalf("second: %v", err)
		}
	}
	if !p.counted.Equal(past) {
		t.Errorf("counts again for each stranger: %v", p.counted)
	}
	remove(t, p.keys.trusted(), "a@h.pub")
	if err := p.PinIfAbsent(name.MustNode("b@h"), key(1), "tofu"); err != nil {
		t.Errorf("there is room now: %v", err)
	}
}

func TestNamesTooLongToPin(t *testing.T) {
	p := mustOpenPins(t, t.TempDir())
	longest := strings.Repeat("a", maxPinned-2) + "@h"
	if err := p.PinIfAbsent(name.MustNode(longest), key(1), "tofu"); err != nil {
		t.Errorf("%d bytes: %v", len(longest), err)
	}
	expectPin(t, p, longest, key(1), "tofu")
	over := "a" + longest
	if err := p.PinIfAbsent(name.MustNode(over), key(1), "tofu"); !errors.Is(err, trust.ErrUntrusted) || strings.Contains(err.Error(), p.keys.dir) {
		t.Errorf("%d bytes: %v", len(over), err)
	}
	expectNoPin(t, p, over)
}

func TestOpenPinsOfMistypedPath(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "dta")
	if _, err := OpenPins(missing); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "mkdir -m 700") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("was made: %v", err)
	}
}

func TestParseKey(t *testing.T) {
	dir, k := t.TempDir(), key(0xab)
	overwrite(t, dir, "node.pub", k[:], 0o644)
	overwrite(t, dir, "short.pub", k[:9], 0o644)
	overwrite(t, dir, "node.key", k[:], 0o600)
	for _, good := range []string{k.String(), strings.ToUpper(k.String()), " " + k.String() + "\n", filepath.Join(dir, "node.pub")} {
		if got, err := ParseKey(good); err != nil || got != k {
			t.Errorf("%q: %v, %v", good, got, err)
		}
	}
	bad := map[string]string{
		k.String()[1:]:                  "neither 64 hex digits nor a key file",
		"":                              "neither",
		strings.Repeat("0", 64):         "all bytes are zero",
		filepath.Join(dir, "short.pub"): "9 bytes, want 32",
		filepath.Join(dir, "node.key"):  "private key",
		dir:                             "is a folder",
	}
	for text, want := range bad {
		if got, err := ParseKey(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v; want %q", text, got, err, want)
		}
	}
}

func FuzzPinFileName(f *testing.F) {
	for _, seed := range []string{"a@h.pub", "bad name.pub", "a@[fd00::1].pub", "a@[FD00:0::1].pub", ".pub", "../a@h.pub", "A@H.pub"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, file string) {
		node, err := pinnedNode(file)
		if err == nil && node.String()+pinExt != file {
			t.Errorf("%q pins %s, which is looked up elsewhere", file, node)
		}
	})
}
