package plugintest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// shelf is a discovery backend in memory with every ability. flaws are the promises
// that it breaks on purpose.
type shelf struct {
	env   plugin.Env
	flaws shelfFlaws
	stray chan struct{} // what left-behind goroutines and hanging lookups wait for

	mu       sync.Mutex
	known    map[name.Node][]name.Address
	watchers map[chan name.Node]func() bool
	started  bool
}

type shelfFlaws struct {
	emptyForUnknown, otherForUnknown, emptyForKnown, wrongOrder bool
	ignoresContext, notFoundWhenCancelled, sharesSlices         bool
	withdrawWantsOne, withdrawForgets, withdrawsAll             bool
	publishAdds, publishOnce, unsorted, listsHalf               bool
	silentWatch, watchOutlivesContext, watchOutlivesStop        bool
	blocksOnSlowReader, forgetsGoroutine, forgetsTask           bool
	stopNeedsStart, stopOnlyOnce, startOnlyOnce, sick           bool
	negativeTTL                                                 bool
}

func (s *shelf) Start(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flaws.startOnlyOnce && s.watchers != nil {
		return errors.New("cannot be started again")
	}
	s.started, s.watchers = true, map[chan name.Node]func() bool{}
	if s.flaws.forgetsGoroutine {
		go func() { <-s.stray }()
	}
	if s.flaws.forgetsTask {
		s.env.Tasks.Go("forgotten", func(ctx context.Context) { <-ctx.Done() })
	}
	return nil
}

func (s *shelf) Stop(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flaws.stopNeedsStart && s.watchers == nil {
		return errors.New("never started")
	}
	if s.flaws.stopOnlyOnce && s.watchers != nil && !s.started {
		return errors.New("stopped already")
	}
	s.started = false
	if s.flaws.watchOutlivesStop {
		return nil
	}
	for ch, cancel := range s.watchers {
		cancel()
		delete(s.watchers, ch)
		close(ch)
	}
	return nil
}

func (s *shelf) Health() plugin.Health {
	if s.flaws.sick {
		return plugin.Health{State: plugin.Failed}
	}
	return plugin.Health{State: plugin.Healthy}
}

func (s *shelf) Lookup(ctx context.Context, node name.Node) (discovery.Answer, error) {
	if ctx.Err() != nil && s.flaws.ignoresContext {
		<-s.stray
	}
	if ctx.Err() != nil && s.flaws.notFoundWhenCancelled {
		return discovery.Answer{}, discovery.ErrNotFound
	}
	if err := ctx.Err(); err != nil {
		return discovery.Answer{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	endpoints, ok := s.known[node]
	switch {
	case !ok && s.flaws.emptyForUnknown, ok && s.flaws.emptyForKnown:
		return discovery.Answer{}, nil
	case !ok && s.flaws.otherForUnknown:
		return discovery.Answer{}, errors.New("no such row")
	case !ok:
		return discovery.Answer{}, discovery.ErrNotFound
	case !s.flaws.sharesSlices:
		endpoints = slices.Clone(endpoints)
	}
	if s.flaws.wrongOrder {
		slices.Reverse(endpoints)
	}
	answer := discovery.Answer{Endpoints: endpoints}
	if s.flaws.negativeTTL {
		answer.TTL = -1
	}
	return answer, nil
}

func (s *shelf) Publish(_ context.Context, record discovery.Record) error {
	s.mu.Lock()
	old, again := s.known[record.Node]
	s.mu.Unlock()
	if again && s.flaws.publishOnce {
		return errors.New("published already")
	}
	if s.flaws.publishAdds {
		record.Endpoints = append(old, record.Endpoints...)
	}
	s.teach(record.Node, record.Endpoints)
	return nil
}

func (s *shelf) Withdraw(_ context.Context, node name.Node) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.known[node]
	switch {
	case !ok && s.flaws.withdrawWantsOne:
		return errors.New("nothing to withdraw")
	case s.flaws.withdrawForgets:
	case s.flaws.withdrawsAll:
		clear(s.known)
	default:
		delete(s.known, node)
	}
	return nil
}

func (s *shelf) List(context.Context) (discovery.Listing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	nodes := slices.SortedFunc(maps.Keys(s.known), name.Node.Compare)
	if s.flaws.unsorted {
		slices.Reverse(nodes)
	}
	if s.flaws.listsHalf {
		nodes = nodes[:len(nodes)/2]
	}
	var records []discovery.Record
	for _, node := range nodes {
		records = append(records, discovery.Record{Node: node, Endpoints: slices.Clone(s.known[node])})
	}
	return discovery.Listing{Records: records, Complete: true}, nil
}

func (s *shelf) Watch(ctx context.Context) (<-chan name.Node, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := make(chan name.Node, 4)
	s.watchers[ch] = func() bool { return true }
	if !s.flaws.watchOutlivesContext {
		s.watchers[ch] = context.AfterFunc(ctx, func() { s.unwatch(ch) })
	}
	return ch, nil
}

func (s *shelf) unwatch(ch chan name.Node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.watchers[ch]; ok {
		delete(s.watchers, ch)
		close(ch)
	}
}

func (s *shelf) teach(node name.Node, endpoints []name.Address) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[node] = slices.Clone(endpoints)
	if s.flaws.silentWatch {
		return
	}
	full := false
	for ch := range s.watchers {
		full = full || len(ch) == cap(ch)
	}
	if full && s.flaws.blocksOnSlowReader {
		return // as good as blocked: nobody hears anything any more
	}
	for ch := range s.watchers {
		tellShelfWatcher(ch, node)
	}
}

func tellShelfWatcher(ch chan name.Node, node name.Node) {
	for {
		select {
		case ch <- node:
			return
		default:
			node = name.Node{}
		}
		select {
		case <-ch:
		default:
		}
	}
}

// shelfHarness makes shelves with flaws.
func shelfHarness(t *testing.T, flaws shelfFlaws) DiscoveryHarness {
	stray := make(chan struct{})
	t.Cleanup(func() { close(stray) })
	shelves := sync.Map{}
	return DiscoveryHarness{
		New: func(_ T, env plugin.Env, known map[name.Node][]name.Address) discovery.Plugin {
			s := &shelf{env: env, flaws: flaws, stray: stray, known: maps.Clone(known)}
			shelves.Store(env.DataDir, s)
			return s
		},
		Teach: func(_ T, env plugin.Env, node name.Node, endpoints []name.Address) {
			s, _ := shelves.Load(env.DataDir)
			s.(*shelf).teach(node, endpoints)
		},
	}
}

func TestDiscoverySuiteAcceptsGood(t *testing.T) {
	Discovery(t, shelfHarness(t, shelfFlaws{}))
}

// bare hides every optional ability of a backend.
type bare struct{ discovery.Plugin }

func TestDiscoverySuiteAcceptsBare(t *testing.T) {
	h := shelfHarness(t, shelfFlaws{})
	Discovery(t, DiscoveryHarness{New: func(t T, env plugin.Env, known map[name.Node][]name.Address) discovery.Plugin {
		return bare{h.New(t, env, known)}
	}})
}

func TestDiscoverySuiteFindsFlaws(t *testing.T) {
	tests := []struct {
		name   string
		flaws  shelfFlaws
		caught []string
	}{
		{"empty answer for an unknown node", shelfFlaws{emptyForUnknown: true},
			[]string{"unknown node is not found", "withdrawn node is not found"}},
		{"other error for an unknown node", shelfFlaws{otherForUnknown: true},
			[]string{"unknown node is not found", "withdrawn node is not found"}},
		{"endpoints in the wrong order", shelfFlaws{wrongOrder: true},
			[]string{"known node is answered", "lookups at the same time"}},
		{"negative TTL", shelfFlaws{negativeTTL: true}, []string{"known node is answered"}},
		{"ignores the context", shelfFlaws{ignoresContext: true}, []string{"cancelled context is honoured"}},
		{"not found when cancelled", shelfFlaws{notFoundWhenCancelled: true}, []string{"cancelled context is honoured"}},
		{"shared slices", shelfFlaws{sharesSlices: true}, []string{"answers are not shared"}},
		{"withdraw of nothing is an error", shelfFlaws{withdrawWantsOne: true}, []string{"withdraw of nothing is fine"}},
		{"withdraw does nothing", shelfFlaws{withdrawForgets: true}, []string{"withdrawn node is not found"}},
		{"withdraw removes others", shelfFlaws{withdrawsAll: true}, []string{"withdrawn node is not found"}},
		{"publish adds", shelfFlaws{publishAdds: true}, []string{"published node is found", "publish replaces"}},
		{"publish only once", shelfFlaws{publishOnce: true}, []string{"published node is found", "publish replaces"}},
		{"listing not sorted", shelfFlaws{unsorted: true}, []string{"listing is sorted and whole"}},
		{"listing not whole", shelfFlaws{listsHalf: true}, []string{"listing is sorted and whole"}},
		{"watcher says nothing", shelfFlaws{silentWatch: true},
			[]string{"watcher tells of a change", "watcher never waits for its reader"}},
		{"watch outlives its context", shelfFlaws{watchOutlivesContext: true}, []string{"watch ends with its context"}},
		{"watch outlives the backend", shelfFlaws{watchOutlivesStop: true}, []string{"watch ends with the backend"}},
		{"watcher waits for its reader", shelfFlaws{blocksOnSlowReader: true}, []string{"watcher never waits for its reader"}},
		{"task left behind", shelfFlaws{forgetsTask: true}, []string{"stop leaves nothing running"}},
		{"goroutine left behind", shelfFlaws{forgetsGoroutine: true}, []string{"stop leaves nothing running"}},
		{"stop needs start", shelfFlaws{stopNeedsStart: true}, []string{"life cycle"}},
		{"stop only once", shelfFlaws{stopOnlyOnce: true}, []string{"life cycle", "watch ends with the backend"}},
		{"start only once", shelfFlaws{startOnlyOnce: true}, []string{"life cycle"}},
		{"sick after start", shelfFlaws{sick: true}, []string{"health is a known state"}},
	}
	var wg sync.WaitGroup // most of the time is spent waiting for what never comes
	for _, test := range tests {
		wg.Go(func() { expectCaught(t, test.name, test.flaws, test.caught) })
	}
	wg.Wait()
}

// expectCaught wants exactly these checks to fail.
func expectCaught(t *testing.T, flaw string, flaws shelfFlaws, caught []string) {
	checks := discoveryChecks()
	said := make([][]string, len(checks))
	h := shelfHarness(t, flaws)
	var wg sync.WaitGroup
	for i, c := range checks {
		wg.Go(func() { said[i] = Record(t, func(r T) { c.run(r, h) }) })
	}
	wg.Wait()
	var found []string
	for i, c := range checks {
		if len(said[i]) > 0 {
			found = append(found, c.name)
			t.Logf("%s: %s: %s", flaw, c.name, said[i][0])
		}
	}
	if !slices.Equal(found, caught) {
		t.Errorf("%s: the suite found %q broken, want %q", flaw, found, caught)
	}
}
