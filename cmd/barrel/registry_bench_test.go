package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/admin"
)

// BenchmarkRegistrationSeen: the time from the answer to a registration on one process to
// its event on the others, of 100.
func BenchmarkRegistrationSeen(b *testing.B) {
	program := filepath.Join(b.TempDir(), "barrel")
	if out, err := exec.Command("go", "build", "-race=false", "-o", program, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	t := newTrio(b, program)
	var at sync.Map
	for _, n := range []string{"b", "c"} {
		t.hear(n, func(e admin.Event) { at.Store(n+" "+e.Type+" "+e.Name, time.Now()) })
	}
	for range b.N {
		var took []time.Duration
		for i := range 100 {
			service := fmt.Sprintf("service/%d", i)
			begun := time.Now()
			end := t.register("a", service)
			for _, n := range []string{"b", "c"} {
				key := n + " registered " + service
				t.until(key, func() bool { _, there := at.Load(key); return there })
				when, _ := at.Load(key)
				took = append(took, when.(time.Time).Sub(begun))
			}
			end()
		}
		slices.Sort(took)
		if median := took[len(took)/2]; median > 100*time.Millisecond {
			b.Errorf("the median is %v, at most 100ms", median)
		}
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-median")
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
	}
}
