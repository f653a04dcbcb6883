package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// trio is three processes of the program on this machine, and a client of each.
type trio struct {
	b       *testing.B
	dir     string
	program string
	nodes   map[string]*exec.Cmd
	clients map[string]*admin.Client
}

func newTrio(b *testing.B) *trio {
	b.Helper()
	dir, err := os.MkdirTemp("", "trio")
	if err != nil {
		b.Fatal(err)
	}
	t := &trio{b: b, dir: dir, program: filepath.Join(dir, "barrel"), nodes: map[string]*exec.Cmd{}, clients: map[string]*admin.Client{}}
	b.Cleanup(func() {
		for _, cmd := range t.nodes {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
		os.RemoveAll(dir)
	})
	if out, err := exec.Command("go", "build", "-o", t.program, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	for _, n := range []string{"a", "b", "c"} {
		t.start(n)
	}
	for _, n := range []string{"a", "b", "c"} {
		t.until(n+" has two others", func() bool {
			status, err := t.clients[n].Status(b.Context())
			return err == nil && status.Members.Alive == 3
		})
	}
	return t
}

func (t *trio) start(n string) {
	t.b.Helper()
	cmd := exec.Command(t.program, "run", "--name", n+"@127.0.0.1", "--listen", "127.0.0.1:0", "--data-dir", filepath.Join(t.dir, n), "--join", "a@127.0.0.1",
		"--set", "discovery.file.dir="+filepath.Join(t.dir, "discovery"), "--set", "bootstrap.retry=200ms")
	if err := cmd.Start(); err != nil {
		t.b.Fatal(err)
	}
	t.nodes[n], t.clients[n] = cmd, admin.NewClient(filepath.Join(t.dir, n, "run/admin.sock"))
}

func (t *trio) kill(n string) {
	_ = t.nodes[n].Process.Kill()
	_ = t.nodes[n].Wait()
}

func (t *trio) until(what string, cond func() bool) {
	t.b.Helper()
	for deadline := time.Now().Add(time.Minute); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.b.Fatalf("%s: not within a minute", what)
		}
	}
}

// register holds a service at a node until the returned function is called.
func (t *trio) register(n, service string) (end func()) {
	t.b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		_ = t.clients[n].Register(ctx, name.MustService(service), nil, func(admin.Instance) { close(ready) },
			func(context.Context, admin.Delivery) ([]byte, error) { return nil, nil })
	}()
	<-ready
	return func() { cancel(); <-ended }
}

// hear notes when each event of a service comes out of a node.
func (t *trio) hear(n string, at *sync.Map) {
	t.b.Helper()
	started := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = t.clients[n].Events(ctx, admin.Watch{Kinds: []string{"service"}}, func() { close(started) }, func(e admin.Event) error {
			at.Store(n+" "+e.Type+" "+e.Name, time.Now())
			return nil
		})
	}()
	<-started
	t.b.Cleanup(func() { cancel(); <-ended })
}

func (t *trio) sees(n, service string) []admin.Instance {
	found, err := t.clients[n].Lookup(t.b.Context(), name.MustService(service))
	if err != nil {
		return nil
	}
	return found
}

// BenchmarkRegistrationSeen: the time from the answer to a registration on one process to
// its event on the others, of 100.
func BenchmarkRegistrationSeen(b *testing.B) {
	t := newTrio(b)
	var at sync.Map
	t.hear("b", &at)
	t.hear("c", &at)
	for range b.N {
		var took []time.Duration
		for i := range 100 {
			service := fmt.Sprintf("service/%d", i)
			begun := time.Now()
			end := t.register("a", service)
			for _, n := range []string{"b", "c"} {
				key := n + " registered " + service
				t.until(key, func() bool { _, there := at.Load(key); return there })
				when, _ := at.Load(key)
				took = append(took, when.(time.Time).Sub(begun))
			}
			end()
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-median")
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
	}
}

// BenchmarkOwnerKilled: the time from SIGKILL of an owner until nobody sees its service
// any more; that of another owner must not be touched.
func BenchmarkOwnerKilled(b *testing.B) {
	t := newTrio(b)
	for range b.N {
		_ = t.register("c", "doomed")
		defer t.register("a", "stays")()
		for _, n := range []string{"a", "b"} {
			t.until("doomed at "+n, func() bool { return len(t.sees(n, "doomed"))*len(t.sees(n, "stays")) == 1 })
		}
		begun := time.Now()
		t.kill("c")
		for _, n := range []string{"a", "b"} {
			t.until("hidden at "+n, func() bool {
				if len(t.sees(n, "stays")) != 1 {
					b.Fatalf("%s does not see the service of another", n)
				}
				return len(t.sees(n, "doomed")) == 0
			})
		}
		b.ReportMetric(time.Since(begun).Seconds(), "s/hidden")
		t.start("c")
	}
}

// BenchmarkOwnerRestarted: an owner is killed and started again at once; from the moment
// the first entry of its new life is seen, none of the old may be.
func BenchmarkOwnerRestarted(b *testing.B) {
	t := newTrio(b)
	for range b.N {
		_ = t.register("c", "old")
		_ = t.register("c", "both")
		t.until("both at a", func() bool { return len(t.sees("a", "old"))*len(t.sees("a", "both")) == 1 })
		old := t.sees("a", "both")[0].Ref.Incarnation
		begun := time.Now()
		t.kill("c")
		t.start("c")
		down := time.Since(begun)
		t.until("c is back", func() bool { _, err := t.clients["c"].Status(b.Context()); return err == nil })
		defer t.register("c", "both")()
		t.until("the new life at a", func() bool {
			found := t.sees("a", "both")
			return len(found) == 1 && found[0].Ref.Incarnation > old
		})
		b.ReportMetric(time.Since(begun).Seconds(), "s/new-life")
		b.ReportMetric(down.Seconds()*1000, "ms-down")
		var wrong []string
		for range 500 {
			for _, service := range []string{"old", "both"} {
				for _, i := range t.sees("a", service) {
					if i.Ref.Incarnation <= old {
						wrong = append(wrong, i.Ref.String())
					}
				}
			}
		}
		if len(wrong) > 0 {
			b.Errorf("of the old life after the first of the new: %s", strings.Join(wrong, " "))
		}
	}
}
