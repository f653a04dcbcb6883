package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"syscall"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/catalog"
	"github.com/barrelp2p/barrel/core/external"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/settings"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/plugins"
)

func transportProcess(t plugintest.T, node string) transport.Plugin {
	t.Helper()
	section, env := plugin.Section{"listen": "127.0.0.1:0"}, plugintest.Env(t, node)
	env.Log = slog.New(slog.DiscardHandler)
	p, err := external.Transport(served(t, plugin.Transport, "quic"), external.Options{Backoff: soon}).New(env, &section)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return p
}

func TestTransportByTheProcessRoad(t *testing.T) {
	t.Parallel()
	plugintest.TransportProcess(t, plugintest.TransportHarness{New: transportProcess, Nobody: (*trial)(nil).nobody})
}

func transportBuiltIn(t plugintest.T, node string) transport.Plugin {
	t.Helper()
	factory, err := catalog.Find(plugins.All().Transport, plugin.Transport, "quic")
	if err != nil {
		t.Fatalf("%v", err)
	}
	section := plugin.Section{"listen": "127.0.0.1:0"}
	into := factory.Settings()
	if problems := settings.Decode(section, into); len(problems) > 0 {
		t.Fatalf("%v", problems)
	}
	p, err := factory.New(plugintest.Env(t, node), into)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return p
}

// carrying is two transports with a connection and a stream that has carried a byte.
type carrying struct {
	dialer, acceptor transport.Plugin
	here, there      transport.Conn
	near, far        transport.Stream
}

func carry(t testing.TB, dialer, acceptor transport.Plugin) (j carrying) {
	t.Helper()
	j.dialer, j.acceptor = dialer, acceptor
	for _, p := range []transport.Plugin{dialer, acceptor} {
		must(t, p.Start(t.Context()))
		t.Cleanup(func() { must(t, p.Stop(context.WithoutCancel(t.Context()))) })
	}
	j.connect(t)
	return j
}

func (j *carrying) connect(t testing.TB) {
	t.Helper()
	var err error
	j.here, err = j.dialer.Dial(t.Context(), j.acceptor.Addresses()[0])
	must(t, err)
	j.there, err = j.acceptor.Accept(t.Context())
	must(t, err)
	j.near, err = j.here.OpenStream(t.Context())
	must(t, err)
	_, err = j.near.Write([]byte{1})
	must(t, err)
	j.far, err = j.there.AcceptStream(t.Context())
	must(t, err)
	_, err = io.ReadFull(j.far, make([]byte, 1))
	must(t, err)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A transport whose process is killed loses its connections with that reason, at once,
// and dials and accepts again by the next one.
func TestATransportProcessIsKilled(t *testing.T) {
	t.Parallel()
	j := carry(t, transportProcess(t, "a@127.0.0.1"), transportBuiltIn(t, "b@127.0.0.1"))
	if here, there := j.here.Info(), j.there.Info(); here.Binding != there.Binding || !here.Dialed || there.Dialed {
		t.Errorf("the two ends do not see one connection: %v, %v", here, there)
	}
	hosted, _ := j.dialer.(plugin.Hosted)
	pid := hosted.Process().PID
	reading := make(chan error, 1)
	go func() { _, err := j.near.Read(make([]byte, 1)); reading <- err }()
	killed := time.Now()
	_ = syscall.Kill(pid, syscall.SIGKILL)
	if err := <-reading; !errors.Is(err, plugin.ErrGone) || !errors.Is(context.Cause(j.here.Context()), plugin.ErrGone) {
		t.Errorf("the read that waited: %v; the connection: %v", err, context.Cause(j.here.Context()))
	}
	if took := time.Since(killed); took > plugintest.Patience { // 100 ms on a machine that has nothing else to do
		t.Errorf("it took %v", took)
	}
	if _, err := j.near.Write([]byte{1}); !errors.Is(err, plugin.ErrGone) {
		t.Errorf("a write afterwards: %v", err)
	}
	plugintest.Eventually(t, "another process", func() bool { next := hosted.Process().PID; return next != 0 && next != pid })
	j.connect(t)
}

// BenchmarkTransport is QUIC over loopback by each road on both sides: one byte there and
// back, and bytes in one direction.
func BenchmarkTransport(b *testing.B) {
	roads := map[string]func(plugintest.T, string) transport.Plugin{"direct": transportBuiltIn, "memory": transportOverWire, "process": transportProcess}
	for _, road := range []string{"direct", "memory", "process"} {
		j := carry(b, roads[road](b, "a@127.0.0.1"), roads[road](b, "b@127.0.0.1"))
		b.Run(road+"/round trip", j.roundTrips)
		b.Run(road+"/bulk", j.bulk)
	}
}

func (j carrying) roundTrips(b *testing.B) {
	one := make([]byte, 1)
	for b.Loop() {
		_, err1 := j.near.Write(one)
		_, err2 := io.ReadFull(j.far, one)
		_, err3 := j.far.Write(one)
		_, err4 := io.ReadFull(j.near, one)
		must(b, errors.Join(err1, err2, err3, err4))
	}
}

// bulk is over when everything has been read.
func (j carrying) bulk(b *testing.B) {
	j.connect(b)
	read := make(chan error, 1)
	go func() { _, err := io.Copy(io.Discard, j.far); read <- err }()
	chunk := make([]byte, 64<<10)
	b.SetBytes(int64(len(chunk)))
	for b.Loop() {
		_, err := j.near.Write(chunk)
		must(b, err)
	}
	must(b, errors.Join(j.near.CloseWrite(), <-read))
}
