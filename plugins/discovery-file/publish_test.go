package discoveryfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
)

func TestOwnEntryIsPutBack(t *testing.T) {
	tests := []struct {
		name string
		harm func(t *testing.T, env plugin.Env) error
	}{
		{"removed", func(_ *testing.T, env plugin.Env) error { return os.Remove(ownFile(env)) }},
		{"garbled", func(_ *testing.T, env plugin.Env) error { return os.WriteFile(ownFile(env), []byte("{"), 0o600) }},
		{"replaced by an earlier life", func(t *testing.T, env plugin.Env) error {
			write(t, env, env.Node.String(), document{Node: env.Node, Endpoints: []name.Address{name.MustAddress("h:666")}})
			return nil
		}},
		{"replaced by a link", func(_ *testing.T, env plugin.Env) error {
			return errors.Join(os.Remove(ownFile(env)), os.Symlink("/dev/null", ownFile(env)))
		}},
		{"folder removed", func(_ *testing.T, env plugin.Env) error { return removeFolder(env) }},
		{"folder moved away", func(_ *testing.T, env plugin.Env) error {
			return os.Rename(filepath.Dir(ownFile(env)), filepath.Join(env.DataDir, "moved"))
		}},
		{"folder replaced", func(_ *testing.T, env plugin.Env) error {
			if err := removeFolder(env); err != nil {
				return err
			}
			err := os.Mkdir(filepath.Dir(ownFile(env)), 0o755)
			if errors.Is(err, fs.ErrExist) { // the backend was faster
				return nil
			}
			return err
		}},
	}
	for _, test := range tests {
		for _, poll := range []time.Duration{testPoll, time.Hour} {
			t.Run(test.name+" poll "+poll.String(), func(t *testing.T) {
				env := plugintest.Env(t, "a@h")
				b := running(t, env, poll)
				publish(t, b, "h:9100")
				awaitSeen(t, b)
				if err := test.harm(t, env); err != nil {
					t.Fatal(err)
				}
				plugintest.Eventually(t, "own entry back", at(b, env.Node, "h:9100"))
				other := name.MustNode("other@h") // and the folder is still watched
				changes, err := b.Watch(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				write(t, env, "other@h", document{Node: other, Endpoints: []name.Address{name.MustAddress("h:1")}})
				expectChange(t, changes, other)
			})
		}
	}
}

// removeFolder may find that the entry was put back between its two steps.
func removeFolder(env plugin.Env) error {
	for {
		if err := os.RemoveAll(filepath.Dir(ownFile(env))); !errors.Is(err, syscall.ENOTEMPTY) {
			return err
		}
	}
}

// awaitSeen waits until the watching task has seen the published entry, so that it
// watches the folder.
func awaitSeen(t *testing.T, b *backend) {
	t.Helper()
	plugintest.Eventually(t, "own entry seen", func() bool {
		if b.lock(t.Context()) != nil {
			return false
		}
		defer b.unlock()
		return b.folder.files[fileName(b.env.Node)].err == nil && len(b.folder.files) == 1
	})
}

func expectChange(t *testing.T, changes <-chan name.Node, node name.Node) {
	t.Helper()
	for bound := time.After(plugintest.Patience); ; {
		select {
		case changed := <-changes:
			if changed == node || changed.IsZero() {
				return
			}
		case <-bound:
			t.Fatalf("no word of %s", node)
		}
	}
}

func TestLaterLifeOfTheSameNameWins(t *testing.T) {
	env := plugintest.Env(t, "a@h")
	env.Incarnation = 5
	b := running(t, env, testPoll)
	publish(t, b, "h:9100")
	write(t, env, "a@h", document{Node: env.Node, Endpoints: []name.Address{name.MustAddress("h:9200")}, Incarnation: 6})
	plugintest.Eventually(t, "health tells of the other process", func() bool {
		health := b.Health()
		return health.State == plugin.Degraded && strings.Contains(health.Detail, "incarnation 6")
	})
	if err := b.Withdraw(t.Context(), env.Node); err != nil {
		t.Fatal(err)
	}
	if !at(b, env.Node, "h:9200")() {
		t.Error("the entry of the later life was changed or removed")
	}
}

func TestPublishWinsOverWhatIsThere(t *testing.T) {
	env := plugintest.Env(t, "a@h")
	write(t, env, "a@h", document{Node: env.Node, Endpoints: []name.Address{name.MustAddress("h:9200")}, Incarnation: 6})
	b := running(t, env, testPoll)
	publish(t, b, "h:9100")
	if !at(b, env.Node, "h:9100")() {
		t.Error("published, and the old entry is still there")
	}
}

func TestWithdrawRemovesWhatACrashLeft(t *testing.T) {
	env := plugintest.Env(t, "a@h")
	writeRaw(t, env, "a@h.endpoint", []byte("{"))
	b := running(t, env, testPoll)
	if err := b.Withdraw(t.Context(), env.Node); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(ownFile(env)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("own file: %v", err)
	}
}

func TestWithdrawnEntryStaysAway(t *testing.T) {
	env := plugintest.Env(t, "a@h")
	b := running(t, env, testPoll)
	publish(t, b, "h:9100")
	if err := b.Withdraw(t.Context(), env.Node); err != nil {
		t.Fatal(err)
	}
	b.lookOnce(t.Context(), &stir{all: true}, time.Time{})
	if _, err := b.Lookup(t.Context(), env.Node); !errors.Is(err, discovery.ErrNotFound) {
		t.Errorf("after Withdraw and a look: %v", err)
	}
}

func TestOnlyOneselfIsPublished(t *testing.T) {
	env := plugintest.Env(t, "a@h")
	b := create(t, env, testPoll)
	other := record(env, "h:1")
	other.Node = name.MustNode("b@h")
	if err := b.Publish(t.Context(), other); err == nil || !strings.Contains(err.Error(), `"b@h"`) {
		t.Errorf("publishing another node: %v", err)
	}
	write(t, env, "b@h", document(other))
	if err := b.Withdraw(t.Context(), other.Node); err == nil {
		t.Error("withdrawing another node was accepted")
	}
	if !at(b, other.Node, "h:1")() {
		t.Error("the other node's file is gone")
	}
	if err := b.Publish(t.Context(), discovery.Record{Node: env.Node}); err == nil {
		t.Error("publishing no endpoints was accepted")
	}
}
