package resolve

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
)

func TestHowLongAnswersAreKept(t *testing.T) {
	tests := []struct {
		name   string
		cfg    Config
		answer discovery.Answer
		err    error
		kept   time.Duration
	}{
		{"answer that does not say", Config{}, discovery.Answer{}, nil, 5 * time.Second},
		{"answer that does not say, configured", Config{TTL: time.Minute}, discovery.Answer{}, nil, time.Minute},
		{"answer that says", Config{}, discovery.Answer{TTL: 30 * time.Second}, nil, 30 * time.Second},
		{"answer that says too much", Config{}, discovery.Answer{TTL: 24 * time.Hour}, nil, time.Hour},
		{"not found", Config{}, discovery.Answer{}, discovery.ErrNotFound, time.Second},
		{"could not tell", Config{}, discovery.Answer{}, errBoom, time.Second},
		{"not found, configured", Config{NegativeTTL: 3 * time.Second}, discovery.Answer{}, discovery.ErrNotFound, 3 * time.Second},
		{"keep nothing", Config{TTL: -1}, discovery.Answer{}, nil, 0},
		{"keep no miss", Config{NegativeTTL: -1}, discovery.Answer{}, discovery.ErrNotFound, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				test.answer.Endpoints = addrs("h:1")
				backend := &fake{answer: says(test.answer, test.err)}
				r := chainWith(t, test.cfg, backend)
				ask := func() { _, _ = r.Resolve(t.Context(), nodeA) }
				ask()
				if test.kept > 0 {
					time.Sleep(test.kept - time.Nanosecond)
					ask()
					expectAsked(t, backend, 1)
					time.Sleep(time.Nanosecond)
				}
				ask()
				expectAsked(t, backend, 2)
			})
		})
	}
}

func TestAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		written := time.Now()
		time.Sleep(time.Minute)
		dated := &fake{answer: func(_ context.Context, node name.Node) (discovery.Answer, error) {
			answer := discovery.Answer{Endpoints: addrs("h:1"), AsOf: written}
			if node == nodeB {
				answer.AsOf = written.Add(time.Hour) // by a clock that is ahead
			}
			return answer, nil
		}}
		r := chain(t, dated)
		if age := resolve(t, r, nodeA).Answer.Age; age != Duration(time.Minute) {
			t.Errorf("age %v, want that of the fact, a minute", age)
		}
		if age := resolve(t, r, nodeB).Answer.Age; age != 0 {
			t.Errorf("age %v of a fact from the future", age)
		}
		undated := chain(t, hit("h:1"))
		resolve(t, undated, nodeA)
		time.Sleep(3 * time.Second)
		if age := resolve(t, undated, nodeA).Answer.Age; age != Duration(3*time.Second) {
			t.Errorf("age %v, want that of the answer, 3s", age)
		}
	})
}

func TestLastGoodAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := hit("h:1"), miss()
		r := chain(t, first, second)
		resolve(t, r, nodeA)

		first.set(fails().answer)
		time.Sleep(10 * time.Minute)
		stale := resolve(t, r, nodeA)
		expectAt(t, stale, "b0", "h:1")
		if !stale.Answer.Stale || stale.Answer.Age != Duration(10*time.Minute) || outcomes(stale.Steps) != " error miss" {
			t.Errorf("%+v, want it stale, ten minutes old, and what the backends say now", stale)
		}
		if _, err := r.Resolve(t.Context(), nodeB); err == nil {
			t.Error("another node has no last good answer")
		}

		second.set(hit("h:2").answer) // a backend that knows counts more than memory
		time.Sleep(time.Second)
		expectAt(t, resolve(t, r, nodeA), "b1", "h:2")

		first.set(miss().answer)
		second.set(miss().answer)
		time.Sleep(time.Minute)
		if _, err := r.Resolve(t.Context(), nodeA); !errors.Is(err, discovery.ErrNotFound) {
			t.Errorf("all say that there is no such node, Resolve says %v", err)
		}
		first.set(fails().answer)
		time.Sleep(time.Minute)
		if _, err := r.Resolve(t.Context(), nodeA); err == nil {
			t.Error("an answer that all have denied came back")
		}
	})
}

func TestForgottenNodesAreTheLeastAskedFor(t *testing.T) {
	backend := hit("h:1")
	r := chainWith(t, Config{Capacity: 2, TTL: time.Hour}, backend)
	c := name.MustNode("c@h")
	for _, node := range []name.Node{nodeA, nodeB, nodeA, c} {
		resolve(t, r, node)
	}
	expectAsked(t, backend, 3)
	resolve(t, r, nodeA)
	expectAsked(t, backend, 3)
	resolve(t, r, nodeB)
	expectAsked(t, backend, 4)
	if n := len(r.cache.entries); n != 2 || r.cache.recent.Len() != 2 {
		t.Errorf("%d nodes are remembered, want 2", n)
	}
}

func TestInvalidate(t *testing.T) {
	backend := hit("h:1")
	r := chain(t, backend)
	resolve(t, r, nodeA)
	resolve(t, r, nodeB)
	r.Invalidate(nodeA)
	resolve(t, r, nodeA)
	resolve(t, r, nodeB)
	expectAsked(t, backend, 3)
	r.Invalidate(name.Node{})
	resolve(t, r, nodeA)
	resolve(t, r, nodeB)
	expectAsked(t, backend, 5)
	r.Invalidate(name.MustNode("unheard-of@h"))
}

func TestInvalidateMakesAMissForgotten(t *testing.T) {
	backend := miss()
	r := chain(t, backend)
	if _, err := r.Resolve(t.Context(), nodeA); err == nil {
		t.Fatal("found")
	}
	backend.set(hit("h:1").answer)
	r.Invalidate(nodeA)
	resolve(t, r, nodeA)
}

func TestAnswerOnItsWayWhenInvalidatedIsNotKept(t *testing.T) {
	for _, which := range []name.Node{nodeA, {}} {
		synctest.Test(t, func(t *testing.T) {
			slow := &fake{answer: func(context.Context, name.Node) (discovery.Answer, error) {
				time.Sleep(time.Second)
				return discovery.Answer{Endpoints: addrs("old:1")}, nil
			}}
			r := chain(t, slow)
			old := make(chan Resolution, 1)
			go func() {
				res, _ := r.Resolve(t.Context(), nodeA)
				old <- res
			}()
			synctest.Wait()
			slow.set(hit("new:1").answer)
			r.Invalidate(which)
			expectAt(t, resolve(t, r, nodeA), "b0", "new:1") // does not wait for the old one
			expectAt(t, <-old, "b0", "old:1")
			expectAt(t, resolve(t, r, nodeA), "b0", "new:1")
		})
	}
}

func TestOneWalkForAllWhoAskAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &fake{answer: func(ctx context.Context, _ name.Node) (discovery.Answer, error) {
			select {
			case <-time.After(time.Second):
				return discovery.Answer{Endpoints: addrs("h:1")}, nil
			case <-ctx.Done():
				return discovery.Answer{}, ctx.Err()
			}
		}}
		r := chain(t, slow)
		impatient, cancel := context.WithCancel(t.Context())
		first := make(chan error, 1)
		go func() { // sets the walk off, and gives up
			_, err := r.Resolve(impatient, nodeA)
			first <- err
		}()
		synctest.Wait()
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { resolve(t, r, nodeA) })
		}
		synctest.Wait()
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("the first says %v", err)
		}
		wg.Wait()
		expectAsked(t, slow, 1)
	})
}

func TestWalkEndsWhenNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan struct{})
		r := chain(t, &fake{answer: func(ctx context.Context, _ name.Node) (discovery.Answer, error) {
			<-ctx.Done()
			close(ended)
			return discovery.Answer{}, ctx.Err()
		}})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		_, _ = r.Resolve(ctx, nodeA)
		synctest.Wait()
		select {
		case <-ended:
		default:
			t.Error("the backend was not told")
		}
	})
}

func TestHurriedCallerSpoilsNothingForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &fake{answer: func(ctx context.Context, _ name.Node) (discovery.Answer, error) {
			select {
			case <-time.After(time.Second):
				return discovery.Answer{Endpoints: addrs("h:1")}, nil
			case <-ctx.Done():
				return discovery.Answer{}, ctx.Err()
			}
		}}
		r := chain(t, slow)
		hurried, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		first := make(chan error, 1)
		go func() {
			_, err := r.Resolve(hurried, nodeA)
			first <- err
		}()
		synctest.Wait()
		expectAt(t, resolve(t, r, nodeA), "b0", "h:1")
		if err := <-first; !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, discovery.ErrNotFound) {
			t.Errorf("the hurried one was told %v", err)
		}
		expectAsked(t, slow, 2)
		if health := r.Backends()[0]; health.Error != "" {
			t.Errorf("the backend is blamed: %+v", health)
		}
	})
}
