package transportmemory

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// pairOn starts two nodes on a network and connects them.
func pairOn(t *testing.T, n *Network) (a, b *node, here, there transport.Conn) {
	t.Helper()
	a, b = startOn(t, n, "a@h"), startOn(t, n, "b@h")
	here, err := a.Dial(t.Context(), b.Addresses()[0])
	if err != nil {
		t.Fatal(err)
	}
	if there, err = b.Accept(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a, b, here, there
}

func startOn(t *testing.T, n *Network, who string) *node {
	t.Helper()
	factory := n.Factory()
	p, err := factory.New(plugintest.Env(t, who), factory.Settings())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p.(*node)
}

func TestCutIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork()
		a, b, here, there := pairOn(t, n)
		s, err := here.OpenStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		n.Cut(a.env.Node, b.env.Node)
		before := there.Info().PacketsReceived
		if _, err := s.Write([]byte("held back")); err != nil {
			t.Errorf("Write: %v", err)
		}
		if err := here.SendDatagram([]byte("lost")); err != nil {
			t.Errorf("SendDatagram: %v", err)
		}
		time.Sleep(3 * time.Second)
		if there.Info().PacketsReceived != before || there.Context().Err() != nil {
			t.Errorf("the peer heard something")
		}
		n.Heal(a.env.Node, b.env.Node)
		far, err := there.AcceptStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 20)
		if k, err := far.Read(buf); err != nil || string(buf[:k]) != "held back" {
			t.Errorf("after Heal: %q, %v", buf[:k], err)
		}
	})
}

func TestLongCutEndsConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork()
		a, b, here, there := pairOn(t, n)
		n.Cut(a.env.Node, b.env.Node)
		if err := here.Close(transport.CloseSilent, "nothing heard"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * time.Second)
		if there.Context().Err() != nil {
			t.Error("the peer learned of a close through a cut")
		}
		<-there.Context().Done()
		if err := context.Cause(there.Context()); !errors.Is(err, transport.ErrSilent) {
			t.Errorf("cause %v, want ErrSilent", err)
		}
		synctest.Wait()
		if len(n.wires) != 0 {
			t.Errorf("%d connections are remembered", len(n.wires))
		}
	})
}

func TestDialThroughFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork()
		a, b, _, _ := pairOn(t, n)
		for _, fault := range []func(a, b name.Node){n.Cut, n.Refuse} {
			fault(b.env.Node, a.env.Node)
			if _, err := a.Dial(t.Context(), b.Addresses()[0]); !errors.Is(err, transport.ErrUnreachable) {
				t.Errorf("Dial: %v, want ErrUnreachable", err)
			}
		}
		n.Cut(a.env.Node, b.env.Node)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := a.Dial(ctx, b.Addresses()[0]); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Dial with a deadline: %v", err)
		}
		n.Heal(a.env.Node, b.env.Node)
		if _, err := a.Dial(t.Context(), b.Addresses()[0]); err != nil {
			t.Errorf("Dial after Heal: %v", err)
		}
	})
}

func TestNetworksAreApart(t *testing.T) {
	one, other := startOn(t, NewNetwork(), "a@h"), startOn(t, NewNetwork(), "b@h")
	if one.Addresses()[0] != other.Addresses()[0] {
		t.Fatalf("addresses %v and %v", one.Addresses(), other.Addresses())
	}
	second := build(t, one.network, "c@h", "mem:7")
	if err := second.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = second.Stop(t.Context()) }()
	if _, err := other.Dial(t.Context(), second.Addresses()[0]); !errors.Is(err, transport.ErrUnreachable) {
		t.Errorf("Dial across networks: %v", err)
	}
}

func TestTakenAddress(t *testing.T) {
	n := NewNetwork()
	startOn(t, n, "a@h")
	if err := build(t, n, "b@h", "mem:1").Start(t.Context()); err == nil {
		t.Error("two nodes at one address")
	}
	if err := build(t, n, "b@h", "nonsense").Start(t.Context()); !errors.Is(err, name.ErrInvalid) {
		t.Errorf("bad address: %v", err)
	}
}

func build(t *testing.T, n *Network, who, listen string) transport.Plugin {
	t.Helper()
	factory := n.Factory()
	s := factory.Settings().(*Settings)
	s.Listen = listen
	p, err := factory.New(plugintest.Env(t, who), s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestQueuesAreBounded(t *testing.T) {
	a, b, here, there := pairOn(t, NewNetwork())
	for range 2 * maxDatagrams {
		if err := here.SendDatagram([]byte{1}); err != nil {
			t.Fatal(err)
		}
	}
	if k := len(there.(*end).datagrams); k != maxDatagrams {
		t.Errorf("%d datagrams wait", k)
	}
	for range maxUnaccepted {
		if _, err := a.Dial(t.Context(), b.Addresses()[0]); err != nil {
			t.Fatal(err)
		}
	}
	_, err := a.Dial(t.Context(), b.Addresses()[0])
	if closed, ok := errors.AsType[*transport.CloseError](err); !ok || closed.Code != transport.CloseBusy {
		t.Errorf("one connection too many: %v, want busy", err)
	}
	for range maxStreams {
		if _, err := here.OpenStream(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := here.OpenStream(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("one stream too many: %v", err)
	}
}

func TestFinishedStreamsMakeRoom(t *testing.T) {
	_, _, here, there := pairOn(t, NewNetwork())
	for range 2 * maxStreams {
		near, err := here.OpenStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err1 := near.Write([]byte{1})
		far, err2 := there.AcceptStream(t.Context())
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		near.Reset(transport.CloseNone)
		far.Reset(transport.CloseNone)
	}
	if k := len(here.(*end).wire.streams); k != 0 {
		t.Errorf("%d streams are remembered", k)
	}
}

func TestSettings(t *testing.T) {
	if problems := defaults().Validate(); len(problems) != 0 {
		t.Errorf("defaults: %v", problems)
	}
	bad := Settings{Listen: "mem", Heartbeat: time.Second, IdleTimeout: time.Second}
	if problems := bad.Validate(); len(problems) != 2 {
		t.Errorf("%v, want two problems", problems)
	}
	bad = Settings{Heartbeat: -1}
	if problems := bad.Validate(); len(problems) != 1 || problems[0].Path != "heartbeat" {
		t.Errorf("%v, want one of heartbeat", problems)
	}
}
