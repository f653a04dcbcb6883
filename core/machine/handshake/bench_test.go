package handshake

import "testing"

// Both sides of a whole handshake.
func BenchmarkHandshake(b *testing.B) {
	for _, m := range modes() {
		b.Run(m.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if p := m.pair().run(); p.dialer.done == nil || p.acceptor.done == nil {
					b.Fatal("not done")
				}
			}
		})
	}
}
