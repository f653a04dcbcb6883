package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// trio is three processes of the program on this machine, a, b and c, and a client of
// each.
type trio struct {
	testing.TB
	dir     string
	program string
	nodes   map[string]*exec.Cmd
	clients map[string]*admin.Client
}

func newTrio(t testing.TB, program string) *trio {
	t.Helper()
	dir, err := os.MkdirTemp("", "trio")
	if err != nil {
		t.Fatal(err)
	}
	o := &trio{TB: t, dir: dir, program: program, nodes: map[string]*exec.Cmd{}, clients: map[string]*admin.Client{}}
	t.Cleanup(func() {
		for n := range o.nodes {
			o.kill(n)
		}
		os.RemoveAll(dir)
	})
	for _, n := range []string{"a", "b", "c"} {
		o.start(n)
	}
	for _, n := range []string{"a", "b", "c"} {
		o.until(n+" has two others", func() bool {
			status, err := o.clients[n].Status(t.Context())
			return err == nil && status.Members.Alive == 3
		})
	}
	return o
}

func (o *trio) start(n string) {
	o.Helper()
	cmd := exec.Command(o.program, "run", "--name", n+"@127.0.0.1", "--listen", "127.0.0.1:0", "--data-dir", filepath.Join(o.dir, n), "--join", "a@127.0.0.1",
		"--set", "discovery.file.dir="+filepath.Join(o.dir, "discovery"), "--set", "bootstrap.retry=200ms")
	if err := cmd.Start(); err != nil {
		o.Fatal(err)
	}
	o.nodes[n], o.clients[n] = cmd, admin.NewClient(filepath.Join(o.dir, n, "run/admin.sock"))
}

func (o *trio) kill(n string) {
	_ = o.nodes[n].Process.Kill()
	_ = o.nodes[n].Wait()
}

func (o *trio) until(what string, cond func() bool) {
	o.Helper()
	for deadline := time.Now().Add(time.Minute); !cond(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			o.Fatalf("%s: not within a minute", what)
		}
	}
}

// register holds a service at a node until the returned function is called, or the node
// is gone.
func (o *trio) register(n, service string) (end func()) {
	o.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- o.clients[n].Register(ctx, name.MustService(service), nil, func(admin.Instance) { close(ready) },
			func(context.Context, admin.Delivery) ([]byte, error) { return nil, nil })
	}()
	select {
	case <-ready:
	case err := <-ended:
		cancel()
		o.Fatalf("register %s at %s: %v", service, n, err)
	}
	return sync.OnceFunc(func() {
		cancel()
		o.Logf("%s at %s has ended: %v", service, n, <-ended)
	})
}

// hear passes on each event of a service that comes out of a node.
func (o *trio) hear(n string, take func(admin.Event)) {
	o.Helper()
	started := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = o.clients[n].Events(ctx, admin.Watch{Kinds: []string{"service"}}, func() { close(started) }, func(e admin.Event) error {
			take(e)
			return nil
		})
	}()
	<-started
	o.Cleanup(func() { cancel(); <-ended })
}

// sees lists the incarnations at which instances of a service are seen.
func (o *trio) sees(n, service string) (lives []uint64) {
	o.Helper()
	found, err := o.clients[n].Lookup(o.Context(), name.MustService(service))
	if err != nil {
		o.Fatalf("lookup of %s at %s: %v", service, n, err)
	}
	for _, i := range found {
		lives = append(lives, i.Ref.Incarnation)
	}
	return lives
}

// An owner is killed and started again within 200 ms: with the first entry that others see
// of its new life, by lookup or by event, there is none of the old. Then it is killed for
// good: what it offered is hidden everywhere within the bound of membership. What others
// offer is seen all the time.
func TestOwnerIsKilled(t *testing.T) {
	t.Parallel()
	o := newTrio(t, quickProgram(t, "barrel"))
	w := &witness{trio: o, lives: map[string][]uint64{}}
	o.hear("a", w.hears("a"))
	o.hear("b", w.hears("b"))
	for service, at := range map[string]string{"of/a": "a", "of/b": "b", "both": "c"} {
		t.Cleanup(o.register(at, service))
	}
	w.tries(10, "started again", 200*time.Millisecond, w.restarts)
	for range 50 {
		w.all(w.undisturbed)()
	}
	w.tries(4, "hidden", 9*time.Second, w.hides)
	w.checkEvents()
}

// tries has something done until it takes no longer than that: a machine that is busy with
// something else may take longer now and then, not each time.
func (w *witness) tries(times int, what string, most time.Duration, do func() time.Duration) {
	w.Helper()
	for range times {
		if do() <= most {
			return
		}
	}
	w.Errorf("%s: %d times not within %v", what, times, most)
}

// restarts kills c, which offers both, and starts it again, which took so long. Then
// it offers that in its new life.
func (w *witness) restarts() (took time.Duration) {
	w.Helper()
	end := w.register("c", "old")
	w.until("everything everywhere", w.all(func(n string) bool { return len(w.sees(n, "old"))*len(w.sees(n, "both")) == 1 && w.others(n) }))
	w.old = w.sees("a", "both")[0]

	begun := time.Now()
	w.kill("c")
	w.start("c")
	took = time.Since(begun)
	end()
	w.comesBack()
	w.Logf("started again after %v, its new life was seen after %v", took, time.Since(begun))
	return took
}

// comesBack waits for c, has it offer both, and waits until that is seen.
func (w *witness) comesBack() {
	w.Helper()
	w.until("c is back", func() bool {
		_, err := w.clients["c"].Status(w.Context())
		return w.all(w.undisturbed)() && err == nil
	})
	w.Cleanup(w.register("c", "both"))
	w.until("the new life everywhere", w.all(func(n string) bool { return w.undisturbed(n) && w.isNew(n) }))
}

// hides kills c, which was started a moment ago, and says until when what it offers is seen. If it
// takes too long, as on a machine that is busy, c is started again.
func (w *witness) hides() (took time.Duration) {
	w.Helper()
	begun := time.Now()
	w.kill("c")
	w.until("hidden everywhere", w.all(func(n string) bool { return w.undisturbed(n) && len(w.sees(n, "both")) == 0 }))
	took = time.Since(begun)
	w.Logf("hidden after %v", took)
	if took > 9*time.Second {
		w.start("c")
		w.comesBack()
	}
	return took
}

// witness looks at a and b.
type witness struct {
	*trio
	old uint64 // the first life of c

	mu    sync.Mutex
	lives map[string][]uint64 // of which c was heard at a node, in order
	wrong []string
}

// all: both say so.
func (w *witness) all(cond func(n string) bool) func() bool {
	return func() bool {
		a, b := cond("a"), cond("b")
		return a && b
	}
}

func (w *witness) others(n string) bool {
	w.Helper()
	return len(w.sees(n, "of/a")) == 1 && len(w.sees(n, "of/b")) == 1
}

func (w *witness) isNew(n string) bool {
	w.Helper()
	return slices.ContainsFunc(w.sees(n, "both"), func(inc uint64) bool { return inc > w.old })
}

// undisturbed fails the test if something is seen that must not be.
func (w *witness) undisturbed(n string) bool {
	w.Helper()
	if !w.others(n) {
		w.Fatalf("%s does not see what the others offer", n)
	}
	if w.isNew(n) {
		if lives := append(w.sees(n, "old"), w.sees(n, "both")...); slices.Contains(lives, w.old) {
			w.Fatalf("%s sees lives %v: the old one is %d", n, lives, w.old)
		}
	}
	return true
}

// hears notes what is heard at a node of c, and of the end of another.
func (w *witness) hears(n string) func(admin.Event) {
	return func(e admin.Event) {
		w.mu.Lock()
		defer w.mu.Unlock()
		gone := e.Type == "down" || e.Type == "unregistered"
		switch ref, err := name.ParseRef(e.Extra["ref"]); {
		case err != nil:
			w.wrong = append(w.wrong, err.Error())
		case ref.Node.Base() != "c" && gone:
			w.wrong = append(w.wrong, fmt.Sprintf("%s heard %s of %s: %s", n, e.Type, e.Name, e.Reason))
		case ref.Node.Base() == "c" && !gone:
			w.lives[n] = append(w.lives[n], ref.Incarnation)
		}
	}
}

func (w *witness) checkEvents() {
	w.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for n, lives := range w.lives {
		if !slices.IsSorted(lives) || lives[0] == lives[len(lives)-1] {
			w.Errorf("%s heard of lives %v, want the old and then the new", n, lives)
		}
	}
	if len(w.wrong) > 0 || len(w.lives) != 2 {
		w.Errorf("heard at %d nodes; wrong: %q", len(w.lives), w.wrong)
	}
}
