package core_test

import (
	"testing"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// BenchmarkReaders: what a read of the registry of a whole node takes when there are
// 10,000 services. With -cpu 1,2 it halves if two readers do not disturb each other, and
// what it takes of the processor, which is the same on a busy machine, does not change.
func BenchmarkReaders(b *testing.B) {
	m := startMeasured(b, b.TempDir(), 0)
	m.offer(b, 10_000)
	known := name.MustService("service/700")
	b.Run("Lookup", func(b *testing.B) {
		readers(b, func() bool { return len(m.Node.Lookup(known)) == 1 })
	})
	ctx := b.Context()
	b.Run("Whereis", func(b *testing.B) {
		readers(b, func() bool { e, err := m.Whereis(ctx, known); return err == nil && e.Service == known })
	})
}

func readers(b *testing.B, read func() bool) {
	b.ReportAllocs()
	before := cpu()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if !read() {
				b.Error("not found")
				return
			}
		}
	})
	b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op")
}
