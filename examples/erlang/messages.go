package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// sendByName: {Name, Node} ! Message.
func sendByName(ctx context.Context, w *world) error {
	got := make(chan string, 1)
	printer, err := w.b.Spawn(core.Spec{Run: func(ctx context.Context, self *core.Self) error {
		text, m, err := core.Receive[string](ctx, self)
		got <- fmt.Sprintf("%q from %s", text, m.From.Node)
		return err
	}})
	if err != nil {
		return err
	}
	if err := w.b.Bind(service("printer"), printer.Ref()); err != nil { // register(printer, Pid)
		return err
	}
	if err := core.Send(ctx, w.a, "printer@b@h", "hello"); err != nil {
		return err
	}
	w.say("b got %s", <-got)
	return nil
}

// spawnThere: a function is started on another node. Ours cannot travel: both programs
// have it, and the other node offers it by name to those it allows.
func spawnThere(ctx context.Context, w *world) error {
	double := func(_ context.Context, self *core.Self, n int) error {
		return fmt.Errorf("work done on %s: %d", self.Node(), 2*n)
	}
	if err := core.OfferStart(w.b, "double", core.Only(w.a.Name()), double); err != nil {
		return err
	}
	ended := make(chan error, 1)
	parent, err := w.a.Spawn(core.Spec{Run: func(ctx context.Context, self *core.Self) error {
		if _, err := self.StartOn(ctx, w.b.Name(), "double", 21, core.StartOptions{Monitor: true}); err != nil {
			return err
		}
		down, _, err := core.Receive[core.Down](ctx, self)
		ended <- down.Reason
		return err
	}})
	if err != nil {
		return err
	}
	<-parent.Done()
	if parent.Reason() != nil {
		return parent.Reason()
	}
	w.say("the process ended with %q", core.ReasonText(<-ended))
	_, err = core.SpawnOn(ctx, w.c, w.b.Name(), "double", 1, core.StartOptions{})
	w.say("c may not start it: %v", errors.Is(err, core.ErrDenied))
	return nil
}

// ask: a request tagged with a unique reference, and a receive for the answer with that
// tag or the time-out. Here the tag, the time-out and the death of the other side are
// the business of Call, and late answers go nowhere.
func ask(ctx context.Context, w *world) error {
	server, err := w.b.Spawn(core.Spec{Handle: core.Handle(func(_ context.Context, n int) (int, error) { return n * n, nil })})
	if err != nil {
		return err
	}
	defer server.Stop()
	squared, err := core.Call[int, int](ctx, w.a, server.Ref(), 12)
	if err != nil {
		return err
	}
	w.say("12 squared is %d", squared)
	server.Stop()
	_, err = core.Call[int, int](ctx, w.a, server.Ref(), 12)
	w.say("asked again after its end: %s", core.ReasonText(err))
	return nil
}

// outputHere: a process there prints here, because the group leader of its caller is its
// own. A process here has no group leader: what it prints to is handed to it, and a
// stream is an io.Writer.
func outputHere(ctx context.Context, w *world) error {
	l, err := w.a.Listen("output")
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	output := func(ctx context.Context, self *core.Self, to string) error {
		node, err := name.ParseNode(to)
		if err != nil {
			return err
		}
		out, err := w.b.OpenStream(ctx, "output", node)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "Output from %s", self.Node())
		return errors.Join(err, out.Close())
	}
	if err := core.OfferStart(w.b, "print", core.Anyone, output); err != nil {
		return err
	}
	if _, err := core.SpawnOn(ctx, w.a, w.b.Name(), "print", w.a.Name().String(), core.StartOptions{}); err != nil {
		return err
	}
	out, err := l.AcceptStream()
	if err != nil {
		return err
	}
	printed, err := io.ReadAll(out)
	w.say("a reads %q", printed)
	return errors.Join(err, out.Close())
}

// dispatch: each piece of work goes to a process on a random node. Theirs fails without
// other nodes, keeps every worker for ever and loses the results.
func dispatch(ctx context.Context, w *world) error {
	for _, n := range []*core.Node{w.a, w.b, w.c} {
		proc, err := n.Spawn(core.Spec{Workers: 4, Handle: core.Handle(func(_ context.Context, n int) (int, error) { return 2 * n, nil })})
		if err != nil {
			return err
		}
		if err := n.Bind(service("worker"), proc.Ref()); err != nil {
			return err
		}
	}
	nodes := w.a.Alive() // this one too, so there is always one
	sum := 0
	for i := range 10 {
		to := core.Everywhere(service("worker"), []name.Node{nodes[rand.IntN(len(nodes))]})[0]
		doubled, err := core.Call[int, int](ctx, w.a, to, i)
		if err != nil {
			return err
		}
		sum += doubled
	}
	w.say("ten pieces of work make %d", sum)
	return nil
}
