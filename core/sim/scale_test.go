package sim_test

import (
	"runtime"
	"testing"
	"time"
)

// HPV-12. How long it takes is said; it is a limit only for the size and on the kind of
// run that are meant for it, with room for a machine that does other things too.
func checkScale(t *testing.T, r round) {
	before, start := heap(), time.Now()
	s := paper(r.nodes, r.seed)
	w := s.grown(50, nil)
	took := time.Since(start)
	perNode := float64(heap()-before) / float64(r.nodes)
	t.Logf("%d nodes: join and 50 cycles in %v, %d steps, %.0f a second, %.1f KiB a node",
		r.nodes, took.Round(time.Millisecond), w.Steps(), float64(w.Steps())/took.Seconds(), perNode/1024)
	g := w.Graph()
	if full := float64(g.Degrees()[5]) / float64(r.nodes); full < 0.997 || len(g.Components()) != 1 || g.OneSided() != 0 {
		t.Errorf("HPV-12: %.4f of the views full, %d parts, %d one-sided", full, len(g.Components()), g.OneSided())
	}
	if r.long && r.nodes <= 50000 && took > time.Minute {
		t.Errorf("HPV-12: it took %v", took)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
