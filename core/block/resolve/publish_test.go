package resolve

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// board is a fake that can publish.
type board struct {
	fake
	err       error // of Publish and Withdraw
	delay     time.Duration
	published []discovery.Record
	withdrawn int
}

func newBoard(err error) *board { return &board{fake: fake{answer: miss().answer}, err: err} }

func (b *board) Publish(_ context.Context, record discovery.Record) error {
	time.Sleep(b.delay)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.published = append(b.published, record)
	}
	return b.err
}

func (b *board) Withdraw(context.Context, name.Node) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.withdrawn++
	return b.err
}

func (b *board) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}

func (b *board) records() []discovery.Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]discovery.Record(nil), b.published...)
}

func selfRecord(endpoint string) discovery.Record {
	return discovery.Record{Node: nodeA, Endpoints: addrs(endpoint), Incarnation: 3, Written: time.Now()}
}

func started(t *testing.T, r *Resolver) *Resolver {
	t.Helper()
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPublishFansOut(t *testing.T) {
	bad, good, unable := newBoard(errBoom), newBoard(nil), newBoard(plugin.ErrUnsupported)
	r := chain(t, bad, hit("h:1"), good, unable)
	err := r.Publish(t.Context(), selfRecord("h:9"))
	if !errors.Is(err, errBoom) || !strings.Contains(err.Error(), "b0") || errors.Is(err, plugin.ErrUnsupported) {
		t.Errorf("error %v", err)
	}
	if got := good.records(); len(got) != 1 || got[0].Node != nodeA || got[0].Endpoints[0] != name.MustAddress("h:9") {
		t.Errorf("published %+v", got)
	}
	if health := r.Health(); health.State != plugin.Degraded || !strings.Contains(health.Detail, "b0: not published") {
		t.Errorf("health %+v", health)
	}
	if err := r.Withdraw(t.Context(), nodeA); !errors.Is(err, errBoom) {
		t.Errorf("Withdraw says %v", err)
	}
	if bad.withdrawn != 1 || good.withdrawn != 1 || r.Health().State != plugin.Healthy {
		t.Errorf("withdrawn %d and %d times, health %+v", bad.withdrawn, good.withdrawn, r.Health())
	}
}

func TestPublishIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &lockedBuffer{}
		bad, good := newBoard(errBoom), newBoard(nil)
		bad.delay = 10 * time.Millisecond // so that the failure comes after everything else
		r := started(t, chainWith(t, Config{Log: slog.New(slog.NewTextHandler(log, nil))}, bad, good))
		if err := r.Publish(t.Context(), selfRecord("h:9")); err == nil {
			t.Error("no error")
		}
		time.Sleep(time.Minute)
		bad.fail(nil)
		time.Sleep(longestPause + time.Second)
		if got := bad.records(); len(got) != 1 || got[0].Endpoints[0] != name.MustAddress("h:9") {
			t.Errorf("published %+v", got)
		}
		if got := good.records(); len(got) != 1 {
			t.Errorf("published %d times where it worked", len(got))
		}
		if r.Health().State != plugin.Healthy {
			t.Errorf("health %+v", r.Health())
		}
		if n := strings.Count(log.String(), "cannot publish"); n != 0 { // Publish has returned it
			t.Errorf("%d lines about one failure:\n%s", n, log.String())
		}
		bad.fail(errors.New("other reason"))
		time.Sleep(refresh + time.Minute)
		if n := strings.Count(log.String(), "cannot publish"); n != 1 {
			t.Errorf("%d lines about one failure:\n%s", n, log.String())
		}
	})
}

func TestPublishedIsRefreshed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoard(nil)
		r := started(t, chain(t, b))
		if err := r.Publish(t.Context(), selfRecord("h:9")); err != nil {
			t.Fatal(err)
		}
		if err := r.Publish(t.Context(), selfRecord("h:10")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(refresh + time.Second)
		got := b.records()
		if len(got) != 3 || got[2].Endpoints[0] != name.MustAddress("h:10") || !got[2].Written.After(got[1].Written) {
			t.Errorf("published %+v", got)
		}
		if err := r.Withdraw(t.Context(), nodeA); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * refresh)
		if n := len(b.records()); n != 3 {
			t.Errorf("withdrawn, and published %d times", n)
		}
	})
}

func TestPublishDoesNotWaitForABackendThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, good := newBoard(nil), newBoard(nil)
		slow.delay = time.Hour
		r := chain(t, slow, good)
		began := time.Now()
		err := r.Publish(t.Context(), selfRecord("h:9"))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 5*time.Second || len(good.records()) != 1 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// signpost is a fake that can be watched and listed.
type signpost struct {
	fake
	changes chan name.Node // what the next Watch returns
	err     error          // of Watch and List
	listing discovery.Listing
	watched int
}

func (s *signpost) Watch(context.Context) (<-chan name.Node, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watched++
	return s.changes, s.err
}

func (s *signpost) List(context.Context) (discovery.Listing, error) { return s.listing, s.err }

func TestWatchersInvalidate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &signpost{fake: fake{answer: hit("h:1").answer}, changes: make(chan name.Node)}
		r := started(t, chainWith(t, Config{TTL: time.Hour}, s))
		synctest.Wait()
		resolve(t, r, nodeA)
		resolve(t, r, nodeB)
		s.changes <- nodeA
		synctest.Wait()
		resolve(t, r, nodeA)
		resolve(t, r, nodeB)
		expectAsked(t, &s.fake, 3)
		s.changes <- name.Node{}
		synctest.Wait()
		resolve(t, r, nodeA)
		resolve(t, r, nodeB)
		expectAsked(t, &s.fake, 5)
	})
}

func TestWatchIsBegunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &signpost{fake: fake{answer: hit("h:1").answer}, changes: make(chan name.Node)}
		r := started(t, chainWith(t, Config{TTL: time.Hour}, s))
		synctest.Wait()
		resolve(t, r, nodeA)
		old := s.changes
		s.mu.Lock()
		s.changes, s.err = nil, plugin.ErrGone
		s.mu.Unlock()
		close(old)
		time.Sleep(10 * time.Second)
		s.mu.Lock()
		s.changes, s.err = make(chan name.Node), nil
		s.mu.Unlock()
		time.Sleep(longestPause + time.Second)
		resolve(t, r, nodeA) // something may have changed while nobody watched
		expectAsked(t, &s.fake, 2)
		s.mu.Lock()
		watched, changes := s.watched, s.changes
		s.mu.Unlock()
		if watched < 3 || watched > 10 {
			t.Errorf("watched %d times", watched)
		}
		changes <- nodeA
		synctest.Wait()
		resolve(t, r, nodeA)
		expectAsked(t, &s.fake, 3)
	})
}

func TestWatchThatIsNotSupportedIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &signpost{err: plugin.ErrUnsupported}
		started(t, chain(t, s))
		time.Sleep(time.Hour)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.watched != 1 {
			t.Errorf("watched %d times", s.watched)
		}
	})
}

func TestList(t *testing.T) {
	record := func(node, endpoint string) discovery.Record {
		return discovery.Record{Node: name.MustNode(node), Endpoints: addrs(endpoint)}
	}
	first := &signpost{listing: discovery.Listing{Complete: true, Records: []discovery.Record{record("c@h", "h:1"), record("d@h", "h:1")}}}
	second := &signpost{listing: discovery.Listing{Complete: true, Records: []discovery.Record{record("b@h", "h:2"), record("c@h", "h:2")}}}
	nodes, complete, err := chain(t, first, second).List(t.Context())
	if err != nil || !complete || len(nodes) != 3 || nodes[0].Node != nodeB || nodes[1].Endpoints[0] != name.MustAddress("h:1") || nodes[1].Backend != "b0" {
		t.Errorf("%+v, %v, %v", nodes, complete, err)
	}
	second.err = errBoom
	nodes, complete, err = chain(t, first, miss(), second).List(t.Context())
	if !errors.Is(err, errBoom) || complete || len(nodes) != 2 {
		t.Errorf("%+v, %v, %v", nodes, complete, err)
	}
	if _, complete, err := chain(t, miss()).List(t.Context()); complete || err != nil {
		t.Errorf("a backend that cannot list: complete %v, %v", complete, err)
	}
}

// sick is a fake that says of itself that it is not well.
type sick struct {
	fake
	health plugin.Health
}

func (s *sick) Health() plugin.Health { return s.health }

func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &lockedBuffer{}
		backend := fails()
		own := &sick{fake: fake{answer: miss().answer}, health: plugin.Health{State: plugin.Degraded, Detail: "coughs"}}
		r := chainWith(t, Config{Log: slog.New(slog.NewTextHandler(log, nil))}, backend, own)
		for range 10 {
			_, _ = r.Resolve(t.Context(), nodeA)
			time.Sleep(2 * time.Second)
		}
		all := r.Backends()
		if all[0].Backend != "b0" || all[0].Health.State != plugin.Degraded || all[0].Error != "boom" || all[0].Age != 2*time.Second {
			t.Errorf("health %+v", all[0])
		}
		if h := r.Health(); h.State != plugin.Degraded || h.Detail != "b0: boom; b1: coughs" {
			t.Errorf("health %+v", h)
		}
		if n := strings.Count(log.String(), "could not tell"); n != 1 {
			t.Errorf("%d lines about one failure:\n%s", n, log.String())
		}
		backend.set(miss().answer)
		own.health = plugin.Health{State: plugin.Healthy}
		_, _ = r.Resolve(t.Context(), nodeA)
		all = r.Backends()
		if all[0].Health.State != plugin.Healthy || all[0].Error != "boom" || r.Health().State != plugin.Healthy {
			t.Errorf("after an answer: %+v, and the last failure is still told", all[0])
		}
	})
}
