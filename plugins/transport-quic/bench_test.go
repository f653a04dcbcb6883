package transportquic

import (
	"io"
	"testing"

	"github.com/barrelp2p/barrel/interfaces/transport"
)

// benchStreams is both ends of one stream between two transports.
func benchStreams(b *testing.B) (near, far transport.Stream) {
	here, there := connect(b, start(b, "a@127.0.0.1", nil), start(b, "b@127.0.0.1", nil))
	near, err := here.OpenStream(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	if _, err := near.Write([]byte{0}); err != nil {
		b.Fatal(err)
	}
	if far, err = there.AcceptStream(b.Context()); err != nil {
		b.Fatal(err)
	}
	if _, err := io.ReadFull(far, make([]byte, 1)); err != nil {
		b.Fatal(err)
	}
	return near, far
}

func benchWrites(b *testing.B, size int) {
	near, far := benchStreams(b)
	read := make(chan error, 1)
	total := int64(b.N) * int64(size)
	go func() {
		buf := make([]byte, 64<<10)
		for got := int64(0); got < total; {
			n, err := far.Read(buf)
			if err != nil {
				read <- err
				return
			}
			got += int64(n)
		}
		read <- nil
	}()
	data := make([]byte, size)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if _, err := near.Write(data); err != nil {
			b.Fatal(err)
		}
	}
	if err := <-read; err != nil {
		b.Fatal(err)
	}
}

func BenchmarkThroughput64KiB(b *testing.B) { benchWrites(b, 64<<10) }

func BenchmarkMessage200B(b *testing.B) { benchWrites(b, 200) }

func BenchmarkPingPong64B(b *testing.B) {
	near, far := benchStreams(b)
	go func() {
		buf := make([]byte, 64)
		for {
			if _, err := io.ReadFull(far, buf); err != nil {
				return // the benchmark is over
			}
			if _, err := far.Write(buf); err != nil {
				return
			}
		}
	}()
	buf := make([]byte, 64)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if _, err := near.Write(buf); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(near, buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDial(b *testing.B) {
	from, to := start(b, "a@127.0.0.1", nil), start(b, "b@127.0.0.1", nil)
	b.ReportAllocs()
	for range b.N {
		here, _ := connect(b, from, to)
		if err := here.Close(transport.CloseIdle, ""); err != nil {
			b.Fatal(err)
		}
	}
}
