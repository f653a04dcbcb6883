package core_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/core/catalog"
	"github.com/barrelp2p/barrel/core/config"
	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/interfaces/trust"
	discoveryfile "github.com/barrelp2p/barrel/plugins/discovery-file"
	membershipfull "github.com/barrelp2p/barrel/plugins/membership-full"
	registrymemory "github.com/barrelp2p/barrel/plugins/registry-memory"
	transportmemory "github.com/barrelp2p/barrel/plugins/transport-memory"
	truststrict "github.com/barrelp2p/barrel/plugins/trust-strict"
	trusttofu "github.com/barrelp2p/barrel/plugins/trust-tofu"
)

// patience bounds a wait for something that should happen soon.
const patience = time.Minute

// lab makes nodes of one catalog that find each other through one discovery folder.
type lab struct {
	t       *testing.T
	catalog catalog.Catalog
	folder  string
	sets    []string // of all nodes
}

// newLab is a lab on a memory network.
func newLab(t *testing.T) *lab {
	return &lab{t: t, folder: t.TempDir(), sets: []string{"transport.use=memory"}, catalog: catalog.Catalog{
		Transport:  []transport.Factory{transportmemory.NewNetwork().Factory()},
		Discovery:  []discovery.Factory{discoveryfile.Factory()},
		Trust:      []trust.Factory{trusttofu.Factory(), truststrict.Factory()},
		Membership: []membership.Factory{membershipfull.Factory()},
		Registry:   []registry.Factory{registrymemory.Factory()},
	}}
}

func (l *lab) load(node, dir string, sets ...string) *config.Config {
	l.t.Helper()
	cfg, err := core.Load(config.Sources{Name: node, DataDir: dir, Sets: slices.Concat(l.sets, []string{
		"discovery.use=file", "discovery.file.dir=" + l.folder, "bootstrap.retry=2s",
	}, sets)}, l.catalog)
	if err != nil {
		l.t.Fatal(err)
	}
	return cfg
}

func (l *lab) start(node string, sets ...string) *core.Node {
	l.t.Helper()
	return l.startIn(l.t.TempDir(), node, sets...)
}

func (l *lab) startIn(dir, node string, sets ...string) *core.Node {
	l.t.Helper()
	return l.run(l.make(l.load(node, dir, sets...)))
}

func (l *lab) make(cfg *config.Config, opts ...core.Option) *core.Node {
	l.t.Helper()
	n, err := core.New(cfg, l.catalog, opts...)
	if err != nil {
		l.t.Fatal(err)
	}
	return n
}

// run starts a node, and stops it when the test ends.
func (l *lab) run(n *core.Node) *core.Node {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	if err := n.Start(ctx); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { stop(l.t, n) })
	return n
}

func stop(t *testing.T, n *core.Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := n.Stop(ctx); err != nil {
		t.Errorf("stop %s: %v\n%s", n.Name(), err, stacks())
	}
}

// stacks is what all goroutines do.
func stacks() []byte {
	all := make([]byte, 1<<20)
	return all[:runtime.Stack(all, true)]
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func members(n *core.Node, state membership.State) (count int) {
	for _, m := range n.Members() {
		if m.State == state {
			count++
		}
	}
	return count
}

func echo(_ context.Context, m core.Message) (any, error) {
	switch string(m.Bytes()) {
	case "panic":
		panic("as told")
	case "fail":
		return nil, errors.New("as told")
	}
	return append([]byte("echo: "), m.Bytes()...), nil
}

func TestTwoNodesFindEachOtherAndTalk(t *testing.T) {
	lab := newLab(t)
	b := lab.start("b@127.0.0.1", "bootstrap.contact_nodes=a@127.0.0.1,b@127.0.0.1")
	a := lab.start("a@127.0.0.1", "bootstrap.contact_nodes=a@127.0.0.1,b@127.0.0.1")
	eventually(t, "both are members on both", func() bool {
		return members(a, membership.Alive) == 2 && members(b, membership.Alive) == 2
	})
	if _, err := b.Register(t.Context(), name.MustService("echo"), nil, echo); err != nil {
		t.Fatal(err)
	}
	out, err := a.Call(t.Context(), "echo@b@127.0.0.1", []byte("hello"))
	if err != nil || string(out) != "echo: hello" {
		t.Errorf("call: %q, %v", out, err)
	}
	_, err = a.Call(t.Context(), "echo@b@127.0.0.1", []byte("panic"))
	if !errors.Is(err, core.ErrPanicked) {
		t.Errorf("call of a handler that panics: %v", err)
	}
	var remote *core.RemoteError
	_, err = a.Call(t.Context(), "echo@b@127.0.0.1", []byte("fail"))
	if !errors.As(err, &remote) || !strings.Contains(remote.Text, "as told") {
		t.Errorf("call of a handler that fails: %v", err)
	}
	if _, err = a.Call(t.Context(), "nobody@b@127.0.0.1", nil); !errors.Is(err, core.ErrNoProcess) {
		t.Errorf("call of a name that nobody has: %v", err)
	}
	stop(t, b)
	eventually(t, "a sees b as left", func() bool { return members(a, membership.Left) == 1 })
}
