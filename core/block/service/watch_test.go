package service_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/block/service"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// A reader that is too slow gets the difference, not a flood, and nothing wrong.
func TestASlowWatcherCatchesUp(t *testing.T) {
	b := newBench(t)
	b.remote("stays", "x@h", 1, "v", "1")
	gone := b.remote("goes", "x@h", 1, "v", "1")
	w := b.Watch("")
	defer w.Close()
	expect(b, tell(b, w, 3), "registered goes 1", "registered stays 1", "synced")
	_ = b.book.Remove(t.Context(), gone.Service, gone.Ref, "")
	for i := range 3000 {
		b.remote("stays", "x@h", 1, "v", fmt.Sprint(i))
	}
	b.remote("last", "x@h", 1, "v", "1")
	known := map[string]string{"goes": "1", "stays": "1"}
	for known["last"] == "" || known["goes"] != "" {
		e, err := w.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s := e.Entry.Service.String()
		if (e.Type == registry.Registered) != (known[s] == "") {
			t.Fatalf("%+v, but %v is known", e, known)
		}
		if known[s] = e.Entry.Meta["v"]; e.Type == registry.EntryDown {
			delete(known, s)
		}
	}
	if known["stays"] != "2999" {
		t.Errorf("known in the end: %v", known)
	}
}

func TestWatchersEnd(t *testing.T) {
	b := newBench(t)
	w := b.Watch("")
	w.Close()
	w.Close()
	if _, err := w.Next(t.Context()); !errors.Is(err, service.ErrClosed) {
		t.Errorf("Next after Close: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	other := b.Watch("nothing/")
	defer other.Close()
	expect(b, tell(b, other, 1), "synced")
	if _, err := other.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Next with an ended context: %v", err)
	}
}

// A reader that begins with many entries is told what happens meanwhile after them, as it
// happened, and they are not listed anew for it.
func TestManyEntriesToBeginWith(t *testing.T) {
	const many = 3000
	b := newBench(t)
	lists := 0
	b.book.lists = func() { lists++ }
	for i := range many {
		b.remote(fmt.Sprintf("s%04d", i), "x@h", 1, "v", "1")
	}
	w := b.Watch("")
	defer w.Close()
	expect(b, tell(b, w, 1), "registered s0000 1")
	for i := range 500 {
		b.remote("s0000", "x@h", 1, "v", fmt.Sprint("u", i))
	}
	last := b.remote("zz", "x@h", 1, "v", "1")
	if err := b.book.Remove(t.Context(), last.Service, last.Ref, "boom"); err != nil {
		t.Fatal(err)
	}
	got := tell(b, w, many-1+1+500+2)
	expect(b, got[many-2:many], "registered s2999 1", "synced")
	expect(b, got[many+500:], "registered zz 1", "down zz 1 boom")
	if lists != 1 {
		t.Errorf("listed %d times, want once", lists)
	}
}

// While a watcher looks at what is there, events go on.
func TestAWatcherKeepsNobodyWaiting(t *testing.T) {
	b := newBench(t)
	looking, looked := make(chan struct{}), make(chan struct{})
	b.book.lists = func() { close(looking); <-looked }
	w := b.Watch("")
	defer w.Close()
	told := make(chan error, 1)
	go func() {
		_, err := w.Next(context.Background())
		told <- err
	}()
	<-looking
	observed := make(chan struct{})
	go func() {
		b.remote("s", "x@h", 1, "v", "1")
		close(observed)
	}()
	select {
	case <-observed:
	case <-time.After(time.Minute):
		t.Error("an event waits for a watcher")
	}
	close(looked)
	if err := <-told; err != nil {
		t.Error(err)
	}
}
