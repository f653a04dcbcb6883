package core_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/membership"
)

// siege is a node under attack from many sides, with a friend that it serves all along.
type siege struct {
	*lab
	node, friend *core.Node
	log          *journal
	events       *tape
	stolen       atomic.Int32 // calls that came from nobody
	talked       atomic.Int32 // calls of one who has proved a key first
}

// besieged is how long the node under attack gives a handshake.
const besieged = 3 * time.Second

func newSiege(t *testing.T) *siege {
	t.Helper()
	s := &siege{lab: newField(t), log: &journal{}}
	s.sets = append(s.sets, "transport.quic.idle_timeout=10s") // the attackers need processor time as well
	cfg := s.load("a@127.0.0.1", t.TempDir(), "auth.handshake_timeout="+besieged.String())
	s.node = s.run(s.make(cfg, core.WithLogger(s.log.logger())))
	s.friend = s.start("b@127.0.0.1")
	s.join(s.friend, s.node)
	s.events = record(t, s.node)
	offer(t, s.node, "echo", func(ctx context.Context, m core.Message) (any, error) {
		switch m.From.Node.String() {
		case s.friend.Name().String():
		case talker:
			s.talked.Add(1)
		default:
			s.stolen.Add(1)
		}
		return echo(ctx, m)
	})
	return s
}

// serve calls the node until the siege is over; each call must be answered.
func (s *siege) serve(over context.Context) (calls int, slowest time.Duration) {
	pace := rate.NewLimiter(200, 1)
	for pace.Wait(over) == nil {
		began := time.Now()
		if out, err := call(s.t, s.friend, "echo@a@127.0.0.1", "x"); err != nil || out != "echo: x" {
			s.t.Errorf("the friend was not served: %q, %v", out, err)
			return calls, slowest
		}
		slowest = max(slowest, time.Since(began))
		calls++
	}
	return calls, slowest
}

// peak watches what the process costs until the siege is over.
func peak(over context.Context) (goroutines int, heap uint64) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for over.Err() == nil {
		var mem runtime.MemStats
		runtime.ReadMemStats(&mem)
		goroutines, heap = max(goroutines, runtime.NumGoroutine()), max(heap, mem.HeapAlloc)
		<-tick.C
	}
	return goroutines, heap
}

func settled() (goroutines int, heap uint64) {
	runtime.GC()
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	return runtime.NumGoroutine(), mem.HeapAlloc
}

// Hostile clients of every sort at the same time cost a bounded amount, get nowhere, and
// neither the friend of the node nor one who joins meanwhile notices. It runs alone,
// because it measures.
func TestHostileClients(t *testing.T) {
	s := newSiege(t)
	goroutines, heap := settled()
	began := time.Now()
	over, end := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() {
		calls, slowest := s.serve(over)
		t.Logf("the friend was served %d times, the slowest took %v", calls, slowest.Round(time.Millisecond))
	})
	watching.Go(func() {
		g, h := peak(over)
		t.Logf("at most %d goroutines and %d MiB, attackers included; %d and %d MiB before", g, h>>20, goroutines, heap>>20)
		if g > 3000 || h > heap+200<<20 {
			t.Error("an attack costs too much")
		}
	})
	newcomer := s.attack(t)
	end()
	watching.Wait()
	s.unharmed(t, newcomer, time.Since(began))
	eventually(t, "what the attack cost is given back", func() bool {
		g, h := settled()
		return g < goroutines+150 && h < heap+20<<20
	})
	g, h := settled()
	t.Logf("after it %d goroutines and %d MiB", g, h>>20)
}

func (s *siege) attack(t *testing.T) (newcomer *core.Node) {
	t.Run("attack", func(t *testing.T) {
		for what, attack := range map[string]func(*testing.T, *siege){
			"other protocol": otherProtocol, "no certificate": noCertificate, "byte at a time": byteAtATime,
			"oversized handshake": oversizedHandshake, "no handshake": noHandshake, "data before handshake": dataBeforeHandshake,
			"oversized control frame": oversizedControlFrame, "oversized message": oversizedMessage,
			"garbage": garbage, "half open": halfOpen, "silent": silent,
		} {
			t.Run(what, func(t *testing.T) {
				t.Parallel()
				attack(t, s)
			})
		}
		t.Run("one who joins", func(t *testing.T) {
			t.Parallel()
			newcomer = s.start("c@127.0.0.1", "bootstrap.contact_nodes="+s.node.Name().String())
			eventually(t, "they know each other", knowEachOther(s.node, newcomer))
		})
	})
	return newcomer
}

// unharmed checks what is left behind.
func (s *siege) unharmed(t *testing.T, newcomer *core.Node, took time.Duration) {
	t.Helper()
	friends := map[string]bool{s.friend.Name().String(): true, newcomer.Name().String(): true}
	for _, l := range adminOf(t, s.node).Links() {
		if !friends[l.Node.String()] {
			t.Errorf("a link to %s is left", l.Node)
		}
	}
	if n := members(s.node, membership.Alive); n != 3 || len(s.node.Members()) != 3 {
		t.Errorf("members: %v, want the three nodes", s.node.Members())
	}
	if n := s.stolen.Load(); n > 0 {
		t.Errorf("%d calls of strangers were handled", n)
	}
	const burst = 20
	limit := burst + int(took/time.Second) + 1
	events, lines := len(s.events.all("trust", "refused")), s.log.count(`msg="handshake refused"`)
	t.Logf("in %v: %d events and %d lines of refusals", took.Round(time.Millisecond), events, lines)
	if events == 0 || events > limit || lines == 0 || lines > limit {
		t.Errorf("%d events and %d lines of refusals, want some and at most %d", events, lines, limit)
	}
	if n := s.log.count("level=ERROR"); n > 0 {
		t.Errorf("%d errors in the log", n)
	}
}
