package resolve

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a backend that answers what a test wants, and counts.
type fake struct {
	mu     sync.Mutex
	answer func(ctx context.Context, node name.Node) (discovery.Answer, error)
	asked  int
}

func (f *fake) Start(context.Context) error { return nil }
func (f *fake) Stop(context.Context) error  { return nil }

func (f *fake) Lookup(ctx context.Context, node name.Node) (discovery.Answer, error) {
	f.mu.Lock()
	f.asked++
	answer := f.answer
	f.mu.Unlock()
	return answer(ctx, node)
}

func (f *fake) set(answer func(context.Context, name.Node) (discovery.Answer, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

func (f *fake) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

var errBoom = errors.New("boom")

func hit(endpoints ...string) *fake {
	return &fake{answer: says(discovery.Answer{Endpoints: addrs(endpoints...)}, nil)}
}
func miss() *fake  { return &fake{answer: says(discovery.Answer{}, discovery.ErrNotFound)} }
func fails() *fake { return &fake{answer: says(discovery.Answer{}, errBoom)} }

// hangs answers nobody until released, whatever the context says.
func hangs(release <-chan struct{}) *fake {
	return &fake{answer: func(context.Context, name.Node) (discovery.Answer, error) {
		<-release
		return discovery.Answer{}, discovery.ErrNotFound
	}}
}

// waits answers with the end of its context.
func waits() *fake {
	return &fake{answer: func(ctx context.Context, _ name.Node) (discovery.Answer, error) {
		<-ctx.Done()
		return discovery.Answer{}, ctx.Err()
	}}
}

func says(answer discovery.Answer, err error) func(context.Context, name.Node) (discovery.Answer, error) {
	return func(context.Context, name.Node) (discovery.Answer, error) { return answer, err }
}

func addrs(texts ...string) []name.Address {
	var out []name.Address
	for _, text := range texts {
		out = append(out, name.MustAddress(text))
	}
	return out
}

// chain is a resolver over backends named b0, b1, ... whose goroutines end with the
// test.
func chain(t *testing.T, plugins ...discovery.Plugin) *Resolver {
	t.Helper()
	return chainWith(t, Config{}, plugins...)
}

func chainWith(t *testing.T, cfg Config, plugins ...discovery.Plugin) *Resolver {
	t.Helper()
	for i, p := range plugins {
		cfg.Backends = append(cfg.Backends, Backend{Name: "b" + string(rune('0'+i)), Plugin: p})
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.Tasks = plugin.NewTasks(func(p plugin.Panic) { t.Errorf("%v\n%s", p, p.Stack) })
	r := New(cfg)
	t.Cleanup(func() {
		if err := r.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}

var nodeA, nodeB = name.MustNode("a@h"), name.MustNode("b@h")

func outcomes(steps []Step) string {
	text := ""
	for _, s := range steps {
		text += " " + string(s.Outcome)
	}
	return text
}

func resolve(t *testing.T, r *Resolver, node name.Node) Resolution {
	t.Helper()
	resolution, err := r.Resolve(t.Context(), node)
	if err != nil {
		t.Fatal(err)
	}
	return resolution
}

func expectAt(t *testing.T, r Resolution, backend string, endpoint string) {
	t.Helper()
	if r.Answer.Backend != backend || len(r.Answer.Endpoints) != 1 || r.Answer.Endpoints[0].String() != endpoint {
		t.Errorf("answer %+v, want %s from %s", r.Answer, endpoint, backend)
	}
}

func expectAsked(t *testing.T, f *fake, want int) {
	t.Helper()
	if got := f.count(); got != want {
		t.Errorf("asked %d times, want %d", got, want)
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
