package identity

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/barrelp2p/barrel/interfaces/trust"
)

func mustOpen(t *testing.T, dataDir string) *Identity {
	t.Helper()
	id, err := Open(dataDir)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestFirstOpenMakesKeys(t *testing.T) {
	dataDir := filepath.Join(t.TempDir(), "deep", "data")
	id := mustOpen(t, dataDir)
	if !id.Created() {
		t.Error("not reported as created")
	}
	expectMode(t, filepath.Join(dataDir, "keys"), fs.ModeDir|0o700)
	expectMode(t, filepath.Join(dataDir, "keys", "node.key"), 0o600)
	expectMode(t, filepath.Join(dataDir, "keys", "node.pub"), 0o600)

	seed := readFile(t, filepath.Join(dataDir, "keys", "node.key"))
	public := readFile(t, filepath.Join(dataDir, "keys", "node.pub"))
	if len(seed) != 32 || len(public) != 32 {
		t.Fatalf("%d and %d bytes, want raw 32", len(seed), len(public))
	}
	if derived := ed25519.NewKeyFromSeed(seed).Public(); !derived.(ed25519.PublicKey).Equal(ed25519.PublicKey(public)) {
		t.Error("node.pub is not the public half of the seed in node.key")
	}
	sum := sha256.Sum256(public)
	if id.Fingerprint() != hex.EncodeToString(sum[:]) {
		t.Errorf("fingerprint %s", id.Fingerprint())
	}
}

func TestOpenAgainIsTheSameNode(t *testing.T) {
	dataDir := t.TempDir()
	first := mustOpen(t, dataDir)
	again := mustOpen(t, dataDir)
	if again.Created() || again.Public() != first.Public() {
		t.Errorf("created %v, key %v, want %v", again.Created(), again, first)
	}
	loaded, err := Load(dataDir)
	if err != nil || loaded.Public() != first.Public() {
		t.Errorf("Load: %v, %v", loaded, err)
	}
}

func TestSignatureVerifies(t *testing.T) {
	id := mustOpen(t, t.TempDir())
	public, signature := id.Public(), id.Sign([]byte("message"))
	if !ed25519.Verify(public[:], []byte("message"), signature[:]) {
		t.Error("does not verify")
	}
}

func TestLostPublicKeyIsDerivedAgain(t *testing.T) {
	dataDir := t.TempDir()
	first := mustOpen(t, dataDir)
	path := filepath.Join(dataDir, "keys", "node.pub")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if loaded, err := Load(dataDir); err != nil || loaded.Public() != first.Public() {
		t.Errorf("Load: %v, %v", loaded, err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load wrote to the disk: %v", err)
	}
	again := mustOpen(t, dataDir)
	if again.Created() || again.Public() != first.Public() {
		t.Error("became another node")
	}
	if key := first.Public(); !bytes.Equal(readFile(t, path), key[:]) {
		t.Error("node.pub is another")
	}
}

func TestOpenRefuses(t *testing.T) {
	other := signerOf(trust.Key{7}).Public()
	cases := map[string]struct {
		spoil func(t *testing.T, keys string)
		kind  error
		says  []string // the file, and the next step
	}{
		"private lost": {
			func(t *testing.T, keys string) { remove(t, keys, "node.key") },
			ErrPrivateLost, []string{"node.key: private key lost", "restore node.key from a backup", "remove node.pub"},
		},
		"halves of two pairs": {
			func(t *testing.T, keys string) { overwrite(t, keys, "node.pub", other[:], 0o600) },
			ErrPairMismatch, []string{"node.pub: keys do not match", "keys/backups"},
		},
		"short private": {
			func(t *testing.T, keys string) { overwrite(t, keys, "node.key", make([]byte, 31), 0o600) },
			ErrBadKey, []string{"node.key: not a key: 31 bytes, want 32", "keys/backups"},
		},
		"long private": {
			func(t *testing.T, keys string) { overwrite(t, keys, "node.key", make([]byte, 64), 0o600) },
			ErrBadKey, []string{"node.key: not a key: more than 32 bytes"},
		},
		"zeroed private": {
			func(t *testing.T, keys string) { overwrite(t, keys, "node.key", make([]byte, 32), 0o600) },
			ErrBadKey, []string{"node.key: not a key: all bytes are zero"},
		},
		"short public": {
			func(t *testing.T, keys string) { overwrite(t, keys, "node.pub", other[:5], 0o600) },
			ErrBadKey, []string{"node.pub: not a key: 5 bytes, want 32: remove it"},
		},
		"private open to others": {
			func(t *testing.T, keys string) { chmod(t, filepath.Join(keys, "node.key"), 0o640) },
			ErrTooOpen, []string{"node.key: mode 0640, want 0600", "chmod 0600", "keys rotate identity"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dataDir := t.TempDir()
			keys := filepath.Join(dataDir, "keys")
			mustOpen(t, dataDir)
			c.spoil(t, keys)
			before := snapshot(t, keys)
			_, err := Open(dataDir)
			if !errors.Is(err, c.kind) {
				t.Fatalf("error %v, want %v", err, c.kind)
			}
			for _, want := range c.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if after := snapshot(t, keys); after != before {
				t.Errorf("the refusal changed the disk:\n%s\nwas\n%s", after, before)
			}
		})
	}
}

func TestLoadWithoutKeys(t *testing.T) {
	dataDir := t.TempDir()
	if _, err := Load(dataDir); !errors.Is(err, ErrNoIdentity) {
		t.Errorf("%v", err)
	}
	if entries, err := os.ReadDir(dataDir); err != nil || len(entries) != 0 {
		t.Errorf("made %v, %v", entries, err)
	}
}

func TestNothingPrintsThePrivateKey(t *testing.T) {
	dataDir := t.TempDir()
	id := mustOpen(t, dataDir)
	seed := readFile(t, filepath.Join(dataDir, "keys", "node.key"))
	secrets := []string{
		hex.EncodeToString(seed[:8]), strings.ToUpper(hex.EncodeToString(seed[:8])), string(seed[:8]),
		strings.Trim(fmt.Sprint(seed[:8]), "[]"), fmt.Sprintf("%#v", seed[:4])[len("[]byte{"):25],
	}
	log := &bytes.Buffer{}
	slog.New(slog.NewTextHandler(log, nil)).Info("x", "id", id, "signer", id.Signer())
	slog.New(slog.NewJSONHandler(log, nil)).Info("x", "id", id, "signer", id.Signer())
	printed := []string{log.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%d", "%q"} {
		printed = append(printed, fmt.Sprintf(verb, id), fmt.Sprintf(verb, id.Signer()),
			fmt.Sprintf(verb, struct{ S Signer }{id.Signer()}))
	}
	for _, text := range printed {
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%q contains the private key", text)
			}
		}
		if !strings.Contains(text, id.Fingerprint()) {
			t.Errorf("%q has no fingerprint", text)
		}
	}
}

func TestWarnings(t *testing.T) {
	dataDir := t.TempDir()
	if found, err := Warnings(dataDir); err != nil || len(found) != 0 {
		t.Errorf("empty folder: %v, %v", found, err)
	}
	id := mustOpen(t, dataDir)
	rotation, err := id.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	if found, err := Warnings(dataDir); err != nil || len(found) != 0 {
		t.Errorf("as made: %v, %v", found, err)
	}
	chmod(t, filepath.Join(dataDir, "keys"), 0o755)
	chmod(t, filepath.Join(dataDir, "keys", "node.key"), 0o644)
	chmod(t, filepath.Join(rotation.Backup, "node.key"), 0o604)
	found, err := Warnings(dataDir)
	if err != nil || len(found) != 3 {
		t.Fatalf("%v, %v; want three", found, err)
	}
	for _, loose := range found {
		if !strings.Contains(loose.String(), "chmod 0"+fmt.Sprintf("%o", loose.Want)) {
			t.Errorf("no next step: %v", loose)
		}
	}
}

func expectMode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	if info, err := os.Stat(path); err != nil || info.Mode() != want {
		t.Errorf("%s: %v, %v; want %v", path, info, err, want)
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func remove(t *testing.T, dir, file string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, file)); err != nil {
		t.Fatal(err)
	}
}

func overwrite(t *testing.T, dir, file string, data []byte, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, file), data, mode); err != nil {
		t.Fatal(err)
	}
}

func chmod(t *testing.T, path string, mode fs.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// snapshot is the names, modes and contents below dir, as text.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var text strings.Builder
	err := filepath.Walk(dir, func(path string, info fs.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		fmt.Fprintf(&text, "%s %v %x\n", path, info.Mode(), readFile(t, path))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return text.String()
}
