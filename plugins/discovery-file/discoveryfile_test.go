package discoveryfile

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/fsnotify/fsnotify"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testPoll = 100 * time.Millisecond

func TestConformance(t *testing.T) {
	plugintest.Discovery(t, plugintest.DiscoveryHarness{
		New: func(t plugintest.T, env plugin.Env, known map[name.Node][]name.Address) discovery.Plugin {
			for node, endpoints := range known {
				write(t, env, node.String(), document{Node: node, Endpoints: endpoints, Incarnation: 1})
			}
			return create(t, env, testPoll)
		},
		Teach: func(t plugintest.T, env plugin.Env, node name.Node, endpoints []name.Address) {
			write(t, env, node.String(), document{Node: node, Endpoints: endpoints, Incarnation: 1})
		},
	})
}

func create(t plugintest.T, env plugin.Env, poll time.Duration) *backend {
	t.Helper()
	p, err := Factory().New(env, &Settings{Poll: poll})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return p.(*backend)
}

// running is a started backend; only events make it look, unless poll says otherwise.
func running(t *testing.T, env plugin.Env, poll time.Duration) *backend {
	t.Helper()
	b := create(t, env, poll)
	start(t, b)
	return b
}

func start(t *testing.T, b *backend) {
	t.Helper()
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// write is what another node does: the file appears at once and whole.
func write(t plugintest.T, env plugin.Env, stem string, doc document) {
	t.Helper()
	data, err := encode(discovery.Record(doc))
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	writeRaw(t, env, stem+suffix, data)
}

func writeRaw(t plugintest.T, env plugin.Env, file string, data []byte) {
	t.Helper()
	dir := filepath.Join(env.DataDir, "discovery")
	temp := filepath.Join(dir, "write.tmp")
	err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(temp, data, 0o600), os.Rename(temp, filepath.Join(dir, file)))
	if err != nil {
		t.Fatalf("write %s: %v", file, err)
	}
}

func ownFile(env plugin.Env) string {
	return filepath.Join(env.DataDir, "discovery", env.Node.String()+suffix)
}

func record(env plugin.Env, endpoint string) discovery.Record {
	return discovery.Record{Node: env.Node, Endpoints: []name.Address{name.MustAddress(endpoint)}, Incarnation: env.Incarnation}
}

func publish(t *testing.T, b *backend, endpoint string) {
	t.Helper()
	if err := b.Publish(t.Context(), record(b.env, endpoint)); err != nil {
		t.Fatal(err)
	}
}

func at(b *backend, node name.Node, endpoint string) func() bool {
	return func() bool {
		answer, err := b.Lookup(context.Background(), node)
		return err == nil && answer.Endpoints[0] == name.MustAddress(endpoint)
	}
}

func TestPublishedFile(t *testing.T) {
	env := plugintest.Env(t, "a@[fd00::1]")
	env.Incarnation = 17
	b := create(t, env, testPoll)
	r := record(env, "[fd00::1]:9100")
	r.Written = time.Date(2026, 11, 20, 11, 0, 0, 0, time.FixedZone("", 3600))
	if err := b.Publish(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(env.DataDir, "discovery", "a@[fd00::1].endpoint"))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"node":"a@[fd00::1]","endpoints":["[fd00::1]:9100"],"incarnation":17,"written":"2026-11-20T10:00:00Z"}` + "\n"
	if string(got) != want {
		t.Errorf("file is\n%s, want\n%s", got, want)
	}
	answer, err := b.Lookup(t.Context(), env.Node)
	if err != nil || !answer.AsOf.Equal(r.Written) {
		t.Errorf("answer %+v, %v; want it as of %v", answer, err, r.Written)
	}
}

func TestLookupOfBrokenFiles(t *testing.T) {
	node := name.MustNode("b@h")
	tests := []struct {
		name, content, want string
	}{
		{"empty", "", "no endpoint document"},
		{"not JSON", "10.0.0.1:9100\n", "no endpoint document"},
		{"trailing data", `{"node":"b@h","endpoints":["h:1"]} {}`, "no endpoint document"},
		{"another node", `{"node":"c@h","endpoints":["h:1"]}`, `about node "c@h"`},
		{"no node", `{"endpoints":["h:1"]}`, `about node ""`},
		{"no endpoints", `{"node":"b@h","endpoints":[]}`, "no endpoints"},
		{"null endpoints", `{"node":"b@h","endpoints":null}`, "no endpoints"},
		{"bad endpoint", `{"node":"b@h","endpoints":["h:0"]}`, "port"},
		{"empty endpoint", `{"node":"b@h","endpoints":[""]}`, "empty endpoint"},
		{"too many endpoints", `{"node":"b@h","endpoints":["h:1"` + strings.Repeat(`,"h:1"`, maxEndpoints) + `]}`, "65 endpoints"},
		{"too large", `{"node":"b@h","endpoints":["h:1"]}` + strings.Repeat(" ", maxFile), "too large"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			env := plugintest.Env(t, "a@h")
			writeRaw(t, env, "b@h.endpoint", []byte(test.content))
			_, err := create(t, env, testPoll).Lookup(t.Context(), node)
			expectTold(t, err, test.want)
		})
	}
}

func expectTold(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || errors.Is(err, discovery.ErrNotFound) {
		t.Fatalf("Lookup says %v: a file that cannot be used is neither an answer nor not found", err)
	}
	if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "discovery") {
		t.Errorf("error %q should name the place and say %q", err, want)
	}
}

func TestLookupOfThingsThatAreNoFiles(t *testing.T) {
	tests := []struct {
		name string
		make func(path string) error
		want string
	}{
		{"link out of the folder", func(path string) error {
			outside := filepath.Join(filepath.Dir(filepath.Dir(path)), "outside")
			content := []byte(`{"node":"b@h","endpoints":["h:1"]}`)
			return errors.Join(os.WriteFile(outside, content, 0o600), os.Symlink(outside, path))
		}, "symbolic link"},
		{"pipe", func(path string) error { return syscall.Mkfifo(path, 0o600) }, "not a file"},
		{"folder", func(path string) error { return os.Mkdir(path, 0o700) }, "not a file"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			env := plugintest.Env(t, "a@h")
			dir := filepath.Join(env.DataDir, "discovery")
			if err := errors.Join(os.Mkdir(dir, 0o755), test.make(filepath.Join(dir, "b@h.endpoint"))); err != nil {
				t.Fatal(err)
			}
			b := create(t, env, testPoll)
			_, err := b.Lookup(t.Context(), name.MustNode("b@h"))
			expectTold(t, err, test.want)
			if listing, err := b.List(t.Context()); err != nil || len(listing.Records) > 0 || listing.Complete {
				t.Errorf("listing %+v, %v", listing, err)
			}
		})
	}
}

func TestLookupWithoutFolder(t *testing.T) {
	b := create(t, plugintest.Env(t, "a@h"), testPoll)
	_, err := b.Lookup(t.Context(), name.MustNode("b@h"))
	expectTold(t, err, "no such file")
	if _, err := b.List(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("List without a folder says %v", err)
	}
}

func TestNameTooLongForAFile(t *testing.T) {
	long := name.MustNode(strings.Repeat("x", 250) + "@h")
	env := plugintest.Env(t, long.String())
	b := running(t, env, testPoll)
	if _, err := b.Lookup(t.Context(), long); !errors.Is(err, discovery.ErrNotFound) {
		t.Errorf("Lookup says %v, want not found", err)
	}
	if err := b.Publish(t.Context(), record(env, "h:1")); err == nil || !strings.Contains(err.Error(), "shorter") {
		t.Errorf("Publish says %v, want advice", err)
	}
	if err := b.Withdraw(t.Context(), long); err != nil {
		t.Errorf("Withdraw says %v", err)
	}
}

func TestListIgnoresAndReportsBrokenFiles(t *testing.T) {
	env := plugintest.Env(t, "a@h")
	log := &lockedBuffer{}
	env.Log = slog.New(slog.NewTextHandler(log, nil))
	good := name.MustNode("good@h")
	write(t, env, "good@h", document{Node: good, Endpoints: []name.Address{name.MustAddress("h:1")}})
	for file, content := range map[string]string{
		"torn@h.endpoint":   `{"node":"torn@h","endp`,
		"UP@HOST.endpoint":  `{"node":"UP@host","endpoints":["h:1"]}`,
		"nonsense.endpoint": "", "..endpoint": "", "notes.txt": "hello", ".safefile-X.tmp": "",
	} {
		writeRaw(t, env, file, []byte(content))
	}
	b := running(t, env, testPoll)
	listing, err := b.List(t.Context())
	if err != nil || len(listing.Records) != 1 || listing.Records[0].Node != good || listing.Complete {
		t.Errorf("listing %+v, %v; want good@h alone, not complete", listing, err)
	}
	for range 3 { // looking again is no news
		if _, err := b.List(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if health := b.Health(); health.State != plugin.Degraded || !strings.Contains(health.Detail, "4 broken") {
		t.Errorf("health %+v, want degraded by 4 broken files", health)
	}
	if n := strings.Count(log.String(), "endpoint file ignored"); n != 4 {
		t.Errorf("%d warnings for 4 broken files:\n%s", n, log.String())
	}
	for _, file := range []string{"torn@h", "UP@HOST", "nonsense", "."} {
		if err := os.Remove(filepath.Join(b.dir, file+suffix)); err != nil {
			t.Fatal(err)
		}
	}
	plugintest.Eventually(t, "health ok after the broken files are gone", func() bool { return b.Health().State == plugin.Healthy })
}

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
	b.lookOnce(t.Context())
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

func TestFolderThatCannotBeMade(t *testing.T) {
	env := plugintest.Env(t, "a@h")
	blocker := filepath.Join(env.DataDir, "discovery")
	if err := os.WriteFile(blocker, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b := running(t, env, testPoll)
	if health := b.Health(); health.State != plugin.Degraded {
		t.Errorf("health %+v, want degraded", health)
	}
	if err := b.Publish(t.Context(), record(env, "h:9100")); err == nil || !strings.Contains(err.Error(), blocker) {
		t.Errorf("Publish says %v, want the path", err)
	}
	if err := os.Remove(blocker); err != nil {
		t.Fatal(err)
	}
	plugintest.Eventually(t, "published after the folder can be made", at(b, env.Node, "h:9100"))
	plugintest.Eventually(t, "health ok", func() bool { return b.Health().State == plugin.Healthy })
}

func TestWithoutFileEvents(t *testing.T) {
	env := plugintest.Env(t, "a@h")
	b := create(t, env, testPoll)
	b.events = func() (*fsnotify.Watcher, error) { return nil, syscall.EMFILE }
	start(t, b)
	changes, err := b.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	write(t, env, "b@h", document{Node: name.MustNode("b@h"), Endpoints: []name.Address{name.MustAddress("h:1")}})
	expectChange(t, changes, name.MustNode("b@h"))
	if health := b.Health(); health.State != plugin.Healthy || !strings.Contains(health.Detail, "too many open files") {
		t.Errorf("health %+v, want ok with the reason for polling", health)
	}
}

func TestFileWrittenInPlaceIsSeen(t *testing.T) {
	env := plugintest.Env(t, "a@h")
	node := name.MustNode("b@h")
	b := create(t, env, testPoll)
	for port := range 20 { // same size, and the clock of files may not have moved
		want := name.MustAddress("h:" + string(rune('1'+port%9)))
		data, err := encode(discovery.Record{Node: node, Endpoints: []name.Address{want}})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(b.ensureDir(), os.WriteFile(filepath.Join(b.dir, "b@h.endpoint"), data, 0o600)); err != nil {
			t.Fatal(err)
		}
		listing, err := b.List(t.Context())
		if err != nil || listing.Records[0].Endpoints[0] != want {
			t.Fatalf("listing %+v, %v; want %s", listing, err, want)
		}
	}
}

func TestWatchBeforeStartAndAfterStop(t *testing.T) {
	b := create(t, plugintest.Env(t, "a@h"), testPoll)
	if _, err := b.Watch(t.Context()); !errors.Is(err, plugin.ErrGone) {
		t.Errorf("before Start: %v", err)
	}
	start(t, b)
	if err := b.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Watch(t.Context()); !errors.Is(err, plugin.ErrGone) {
		t.Errorf("after Stop: %v", err)
	}
}

func TestPublishHonoursContext(t *testing.T) {
	b := create(t, plugintest.Env(t, "a@h"), testPoll)
	b.disk <- struct{}{} // as if a network file system did not answer
	defer b.unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := b.Publish(ctx, record(b.env, "h:1")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Publish says %v", err)
	}
}

func TestValidate(t *testing.T) {
	if problems := defaults().Validate(); len(problems) > 0 {
		t.Errorf("defaults: %v", problems)
	}
	problems := (&Settings{Dir: "a\x00b", Poll: 1}).Validate()
	if len(problems) != 2 || problems[0].Path != "dir" || problems[1].Path != "poll" {
		t.Errorf("problems %v, want dir and poll", problems)
	}
}

func TestFolderOfSettings(t *testing.T) {
	for dir, want := range map[string]string{"": "/data/discovery", "/srv/x/": "/srv/x", "rel/y": "rel/y"} {
		if got := (&Settings{Dir: dir}).folder("/data"); got != want {
			t.Errorf("dir %q is %q, want %q", dir, got, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	node := name.MustNode("b@h")
	f.Add([]byte(`{"node":"b@h","endpoints":["h:1","[fd00::1]:2"],"incarnation":18446744073709551615,"written":"2026-11-20T10:00:00Z"}`))
	f.Add([]byte(`{"node":"b@H","endpoints":["h:1"],"written":"9999-12-31T23:59:59-23:59"}`))
	f.Add([]byte(`{"node":"b@h","endpoints":[null]}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		record, err := decode(data, node)
		if err != nil {
			return
		}
		if record.Node != node || len(record.Endpoints) == 0 {
			t.Fatalf("accepted %+v", record)
		}
		again, err := encode(record)
		if err != nil {
			return // a year that JSON cannot write
		}
		if back, err := decode(again, node); err != nil || !(file{record: back}).same(file{record: record}) {
			t.Fatalf("%s reads back as %+v, %v", again, back, err)
		}
	})
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
