package discoveryfile

import (
	"bytes"
	"context"
	"errors"
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
