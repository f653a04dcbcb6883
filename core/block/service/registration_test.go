package service_test

import (
	"context"
	"errors"
	"testing"

	"github.com/barrelp2p/barrel/core/block/service"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// A registration is over when nothing of it is left: whoever registers the same process
// again while it is taken back, or as soon as Done says so, has a registration that stands.
func TestRegisteredAgainWhileItIsTakenBack(t *testing.T) {
	b := newBench(t)
	r, p := b.register("s")
	b.book.removes = make(chan struct{})
	closed, again := make(chan error, 1), make(chan error, 1)
	go func() { closed <- r.Close() }()
	<-b.book.removes // the registry has been asked, and has not answered
	select {
	case <-r.Done():
		t.Error("Done is closed before the registration has been taken back")
	default:
	}
	go func() {
		_, err := b.Register(t.Context(), name.MustService("s"), nil, p)
		again <- err
	}()
	close(b.book.removes)
	for what, done := range map[string]chan error{"Close": closed, "Register": again} {
		if err := <-done; err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if got := b.Lookup(name.MustService("s")); len(got) != 1 || len(b.bound) != 1 {
		t.Errorf("registered: %v, bound: %v, want both", got, b.bound)
	}
}

// Who sees a registration reaches what it stands for under its name.
func TestBoundBeforeItIsSeen(t *testing.T) {
	b := newBench(t)
	seen := 0
	b.book.emit = func(e registry.Event) {
		if seen++; len(b.bound) != 1 {
			t.Errorf("%s while %v is bound", e.Type, b.bound)
		}
	}
	if b.register("s"); seen != 1 {
		t.Errorf("%d events", seen)
	}
}

// What a name cannot be bound to is not registered, and nobody hears of it.
func TestNotBoundNotRegistered(t *testing.T) {
	b := newBench(t)
	b.book.emit = func(e registry.Event) { t.Errorf("%+v", e) }
	b.fails = errors.New("no process")
	if _, err := b.Register(t.Context(), name.MustService("s"), nil, b.proc()); !errors.Is(err, b.fails) {
		t.Errorf("error %v", err)
	}
	if n, err := b.Unregister(name.MustService("s")); n != 0 || err != nil {
		t.Errorf("%d registrations are left, %v", n, err)
	}
}

// When the node has stopped a registration is refused, and none is left behind.
func TestRegisterAfterTheEnd(t *testing.T) {
	b := newBench(t)
	if err := b.tasks.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Register(t.Context(), name.MustService("s"), nil, b.proc()); !errors.Is(err, service.ErrEnded) {
		t.Errorf("error %v", err)
	}
	if n, err := b.Unregister(name.MustService("s")); n != 0 || err != nil {
		t.Errorf("%d registrations are left, %v", n, err)
	}
}
