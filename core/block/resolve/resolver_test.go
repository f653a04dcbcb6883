package resolve

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

func TestChain(t *testing.T) {
	detail := &fake{answer: says(discovery.Answer{}, errors.Join(errors.New("no records"), discovery.ErrNotFound))}
	empty := &fake{answer: says(discovery.Answer{}, nil)}
	nobody := &fake{answer: says(discovery.Answer{Endpoints: []name.Address{{}}}, nil)}
	panics := &fake{answer: func(context.Context, name.Node) (discovery.Answer, error) { panic("ouch") }}
	tests := []struct {
		name     string
		backends []discovery.Plugin
		backend  string // that answers; "": none
		outcomes string
		err      string // all of these, separated by |
	}{
		{"first hit wins", []discovery.Plugin{hit("h:1"), hit("h:2")}, "b0", " hit skipped", ""},
		{"a miss goes on", []discovery.Plugin{miss(), hit("h:2"), fails()}, "b1", " miss hit skipped", ""},
		{"an error goes on", []discovery.Plugin{fails(), hit("h:2")}, "b1", " error hit", ""},
		{"a panic goes on", []discovery.Plugin{panics, hit("h:2")}, "b1", " error hit", ""},
		{"an empty answer is an error", []discovery.Plugin{empty, hit("h:2")}, "b1", " error hit", ""},
		{"an answer of no addresses is an error", []discovery.Plugin{nobody, miss()}, "", " error miss", "without endpoints"},
		{"nobody knows", []discovery.Plugin{miss(), detail}, "", " miss miss", `discovery of "a@h": not found (b0: node not found; b1: no records node not found)`},
		{"somebody cannot tell", []discovery.Plugin{miss(), fails(), panics}, "", " miss error error", `could not be told (b0: node not found; b1: boom; |panicked: ouch`},
		{"no backends", nil, "", "", "discovery.use"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := chain(t, test.backends...)
			resolution, err := r.Resolve(t.Context(), nodeA)
			if resolution.Answer.Backend != test.backend || outcomes(resolution.Steps) != test.outcomes || resolution.Node != nodeA {
				t.Errorf("%+v, want %q by%s", resolution, test.backend, test.outcomes)
			}
			if (err == nil) != (test.backend != "") {
				t.Fatalf("error %v", err)
			}
			for part := range strings.SplitSeq(test.err, "|") {
				if err != nil && !strings.Contains(err.Error(), part) {
					t.Errorf("error %q, want it to say %q", err, part)
				}
			}
		})
	}
}

func TestNotFoundTellsMissesFromErrors(t *testing.T) {
	tests := []struct {
		name     string
		backends []discovery.Plugin
		miss     bool
	}{
		{"all miss", []discovery.Plugin{miss(), miss()}, true},
		{"an error among them", []discovery.Plugin{miss(), fails()}, false},
		{"no backends", nil, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := chain(t, test.backends...).Resolve(t.Context(), nodeA)
			if errors.Is(err, discovery.ErrNotFound) != test.miss || errors.Is(err, errBoom) == test.miss {
				t.Errorf("error %v", err)
			}
			notFound, ok := errors.AsType[*NotFound](err)
			if !ok || notFound.Node != nodeA || len(notFound.Steps) != len(test.backends) {
				t.Errorf("error %#v", err)
			}
		})
	}
}

func TestEndpointsAreBoundedAndDistinct(t *testing.T) {
	many := hit("h:1", "h:1", "h:2")
	all := addrs("h:1", "h:2")
	for port := range uint16(100) {
		all = append(all, name.MustAddress("x:"+string(rune('1'+port%9))+"00"))
		all = append(all, name.MustAddress(strings.Repeat("y", int(port)+1)+":1"))
	}
	many.set(says(discovery.Answer{Endpoints: append(addrs("h:1"), all...)}, nil))
	got, err := chain(t, many).Addresses(t.Context(), nodeA)
	if err != nil || len(got) != maxEndpoints || got[0] != all[0] || got[1] != all[1] {
		t.Errorf("%v, %v", got, err)
	}
}

func TestAnswersAreNotShared(t *testing.T) {
	r := chain(t, miss(), hit("h:1"))
	for range 2 {
		resolution := resolve(t, r, nodeA)
		expectAt(t, resolution, "b1", "h:1")
		resolution.Answer.Endpoints[0] = name.MustAddress("evil:1")
		resolution.Steps[1].Endpoints[0] = name.MustAddress("evil:1")
		resolution.Steps[0].Outcome = Hit
	}
	if again := resolve(t, r, nodeA); outcomes(again.Steps) != " miss hit" || again.Steps[1].Endpoints[0] != name.MustAddress("h:1") {
		t.Errorf("steps %+v", again.Steps)
	}
}

func TestTimeLimits(t *testing.T) {
	tests := []struct {
		name     string
		deadline time.Duration // of the caller; 0: none
		backends int           // that hang, before one that knows
		took     time.Duration
		found    bool
	}{
		{"a backend has its time", 0, 1, 5 * time.Second, true},
		{"each has its time", 0, 3, 15 * time.Second, true},
		{"one does not eat the caller's time", 6 * time.Second, 1, 2 * time.Second, true},
		{"nor do several", 8 * time.Second, 2, 4 * time.Second, true},
		{"a long deadline changes nothing", time.Hour, 1, 5 * time.Second, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				var backends []discovery.Plugin
				for range test.backends {
					backends = append(backends, hangs(release))
				}
				r := chain(t, append(backends, hit("h:1"))...)
				t.Cleanup(func() { close(release) })
				ctx := t.Context()
				if test.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, test.deadline)
					defer cancel()
				}
				began := time.Now()
				_, err := r.Resolve(ctx, nodeA)
				if took := time.Since(began); took != test.took || (err == nil) != test.found {
					t.Errorf("took %v, %v; want %v", took, err, test.took)
				}
			})
		})
	}
}

func TestTimeIsLeftForTheDialWhenTheOnlyBackendHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := hit("h:1")
		r := chain(t, backend)
		resolve(t, r, nodeA)
		backend.set(waits().answer)
		r.Invalidate(nodeA)
		ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
		defer cancel()
		began := time.Now()
		resolution, err := r.Resolve(ctx, nodeA)
		if took := time.Since(began); err != nil || took != 3*time.Second || !resolution.Answer.Stale {
			t.Errorf("%+v, %v after %v; want the stale answer after half of the time", resolution, err, took)
		}
	})
}

func TestHangingCallsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		backend := hangs(release)
		r := chainWith(t, Config{NegativeTTL: -1}, backend)
		for range maxHanging + 5 {
			if _, err := r.Resolve(t.Context(), nodeA); err == nil || errors.Is(err, discovery.ErrNotFound) {
				t.Errorf("error %v", err)
			}
		}
		expectAsked(t, backend, maxHanging)
		if health := r.Backends()[0]; health.Hanging != maxHanging || health.Health.State != plugin.Degraded {
			t.Errorf("health %+v", health)
		}
		close(release)
		synctest.Wait()
		if _, err := r.Resolve(t.Context(), nodeA); !errors.Is(err, discovery.ErrNotFound) {
			t.Errorf("after the calls returned: %v", err)
		}
		if health := r.Health(); health.State != plugin.Healthy {
			t.Errorf("health %+v", health)
		}
	})
}

func TestCancelledContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := chain(t, waits())
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		_, err := r.Resolve(ctx, nodeA)
		if !errors.Is(err, context.Canceled) || errors.Is(err, discovery.ErrNotFound) || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if _, err := r.Resolve(ctx, nodeA); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled beforehand: %v", err)
		}
		synctest.Wait()
		if health := r.Health(); health.State != plugin.Healthy {
			t.Errorf("a caller that gave up made the health %+v", health)
		}
	})
}

func TestStopEndsWhatIsOnItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := chain(t, waits())
		done := make(chan error, 1)
		go func() {
			_, err := r.Resolve(t.Context(), nodeA)
			done <- err
		}()
		synctest.Wait()
		if err := r.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, plugin.ErrGone) || errors.Is(err, discovery.ErrNotFound) {
			t.Errorf("Resolve says %v", err)
		}
	})
}

func TestExplainAsksEverybodyAndRemembersNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second, slow := miss(), hit("h:2"), waits()
		third := hit("h:3")
		r := chain(t, first, second, slow, third)
		began := time.Now()
		resolution := r.Explain(t.Context(), nodeA)
		expectAt(t, resolution, "b1", "h:2")
		if outcomes(resolution.Steps) != " miss hit error hit" || time.Since(began) != 5*time.Second {
			t.Errorf("%+v after %v", resolution.Steps, time.Since(began))
		}
		if took := resolution.Steps[2].Took; took != Duration(5*time.Second) {
			t.Errorf("the slow one took %v", took)
		}
		resolve(t, r, nodeA)
		expectAsked(t, second, 2)
		r.Explain(t.Context(), nodeA)
		expectAsked(t, second, 3)
		expectAsked(t, first, 3)
	})
}

func TestExplainWhenNobodyKnows(t *testing.T) {
	r := chain(t, miss(), fails())
	got, err := json.Marshal(r.Explain(t.Context(), nodeA))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"node":"a@h"`, `"answer":{"backend":"","endpoints":[],"age":"0s","stale":false}`,
		`{"backend":"b0","outcome":"miss","endpoints":[],"error":"","took":"`, `{"backend":"b1","outcome":"error","endpoints":[],"error":"boom","took":"`,
	} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%s\nlacks %s", got, want)
		}
	}
}

func TestExplainUsesTheLastGoodAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := hit("h:1")
		r := chain(t, backend)
		resolve(t, r, nodeA)
		time.Sleep(time.Hour)
		backend.set(fails().answer)
		resolution := r.Explain(t.Context(), nodeA)
		expectAt(t, resolution, "b0", "h:1")
		if !resolution.Answer.Stale || resolution.Answer.Age != Duration(time.Hour) {
			t.Errorf("answer %+v, want it stale and an hour old", resolution.Answer)
		}
	})
}

func TestDurationText(t *testing.T) {
	var d Duration
	if err := json.Unmarshal([]byte(`"1.5s"`), &d); err != nil || d != Duration(1500*time.Millisecond) {
		t.Errorf("%v, %v", d, err)
	}
	if err := json.Unmarshal([]byte(`"soon"`), &d); err == nil {
		t.Error("no error")
	}
}
