package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/proto/transportv1"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// written is frames as they travel.
func written(frames ...frame) []byte {
	var out []byte
	for _, f := range frames {
		out = append(out, byte(f.kind))
		out = binary.BigEndian.AppendUint32(out, f.stream)
		out = binary.BigEndian.AppendUint32(out, uint32(len(f.payload)))
		out = append(out, f.payload...)
	}
	return out
}

func message(t testing.TB, m proto.Message) []byte {
	t.Helper()
	out, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// hosted runs a host half until a plugin has said all that it says. use is who has the
// connection.
func hosted(use func(*transportConn), says func(far net.Conn)) *transportConn {
	near, far := net.Pipe()
	c := newTransportConn(newFramer(near), transport.Info{})
	go use(c)
	go func() {
		says(far)
		_ = far.Close()
	}()
	c.run()
	return c
}

func ignore(*transportConn) {}

// hear has a host half read what a plugin sends, to the end, and returns it.
func hear(sent []byte) *transportConn {
	return hosted(ignore, func(far net.Conn) {
		go func() { _, _ = io.Copy(io.Discard, far) }()
		_, _ = far.Write(sent)
	})
}

func TestWhatAPluginMayNotSend(t *testing.T) {
	accepted := frame{kind: transportv1.Kind_ACCEPTED, stream: 1}
	data := frame{kind: transportv1.Kind_DATA, stream: 1, payload: make([]byte, frameMost)}
	for what, sent := range map[string][]byte{
		"more than there was credit for": written(accepted, data, data, data, data, data),
		"a stream with a number of ours": written(frame{kind: transportv1.Kind_ACCEPTED, stream: 2}),
		"a stream twice":                 written(accepted, accepted),
		"a frame that is too long":       binary.BigEndian.AppendUint32([]byte{1, 0, 0, 0, 1}, 1<<30),
		"an answer that is none":         written(frame{kind: transportv1.Kind_DONE, stream: 2, payload: []byte{0xff}}),
		"addresses that are none":        written(frame{kind: transportv1.Kind_INFO, payload: message(t, &transportv1.Info{Local: "x y"})}),
	} {
		if c := hear(sent); !errors.Is(c.cause(), ErrMalformed) {
			t.Errorf("%s: %v", what, c.cause())
		}
	}
	for what, sent := range map[string][]byte{
		"nothing": nil, "half a frame": {1, 0}, "a stream that nobody knows": written(data),
		"what is not known yet": written(frame{kind: 99, payload: []byte("later")}),
	} {
		if c := hear(sent); !errors.Is(c.cause(), plugin.ErrGone) {
			t.Errorf("%s: %v", what, c.cause())
		}
	}
}

func TestTheEndOfAConnectionKeepsItsReason(t *testing.T) {
	for _, want := range []error{
		&transport.CloseError{Remote: true, Code: transport.CloseRefused, Reason: "another cluster"},
		&transport.CloseError{Code: transport.CloseStopping},
	} {
		c := hear(written(frame{kind: transportv1.Kind_CLOSED, payload: message(t, endToWire(want))}))
		if got, wanted := c.cause().Error(), want.Error(); got != wanted {
			t.Errorf("%q, want %q", got, wanted)
		}
	}
	c := hear(written(frame{kind: transportv1.Kind_CLOSED, payload: message(t, endToWire(transport.ErrSilent))}))
	if !errors.Is(c.cause(), transport.ErrSilent) {
		t.Errorf("%v", c.cause())
	}
}

func TestAConnectionThatIsAstray(t *testing.T) {
	info := infoToWire(transport.Info{RTT: time.Millisecond, PacketsReceived: 7})
	info.Astray = true
	c := hear(written(frame{kind: transportv1.Kind_INFO, payload: message(t, info)}))
	if got := c.Info(); !c.Astray() || got.PacketsReceived != 7 || got.RTT != time.Millisecond {
		t.Errorf("astray %v, %+v", c.Astray(), got)
	}
}

// opening is a plugin that tells of so many streams of the peer.
func opening(streams int, reads bool) func(net.Conn) {
	return func(far net.Conn) {
		if reads {
			go func() { _, _ = io.Copy(io.Discard, far) }()
		}
		for i := range streams {
			if _, err := far.Write(written(frame{kind: transportv1.Kind_ACCEPTED, stream: uint32(2*i + 1)})); err != nil {
				return
			}
		}
	}
}

// The streams of a peer are bounded, whether they are accepted here or not, and so is
// what waits for a plugin that does not read.
func TestAPluginOpensTooMuch(t *testing.T) {
	accept := func(c *transportConn) {
		for c.ctx.Err() == nil {
			_, _ = c.AcceptStream(c.ctx)
		}
	}
	for what, tt := range map[string]struct {
		use  func(*transportConn)
		says func(net.Conn)
		want error
	}{
		"streams that nobody closes":           {accept, opening(maxUnread, true), ErrMalformed},
		"not too many":                         {accept, opening(maxPeerStreams/2, true), plugin.ErrGone},
		"streams that are refused one by one":  {ignore, opening(4*maxPeerStreams, true), plugin.ErrGone},
		"a plugin that writes and never reads": {ignore, opening(maxUnread, false), ErrMalformed},
	} {
		if c := hosted(tt.use, tt.says); !errors.Is(c.cause(), tt.want) {
			t.Errorf("%s: %v", what, c.cause())
		}
	}
}

// A plugin cannot make the host connect to a socket of its choice.
func TestConnectionsElsewhereAreRefused(t *testing.T) {
	good := func() *transportv1.Connection {
		return &transportv1.Connection{Socket: "bytes1", Token: make([]byte, 16), Binding: make([]byte, 32), Info: &transportv1.Info{}}
	}
	if _, err := connectionFromWire(good()); err != nil {
		t.Errorf("a good one: %v", err)
	}
	for _, socket := range []string{"", ".", "..", "/run/docker.sock", "../x", "a/b", strings.Repeat("s", 65), "a\x00"} {
		c := good()
		c.Socket = socket
		if _, err := connectionFromWire(c); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v", socket, err)
		}
	}
	for _, change := range []func(*transportv1.Connection){
		func(c *transportv1.Connection) { c.Token = c.Token[1:] },
		func(c *transportv1.Connection) { c.Binding = c.Binding[1:] },
		func(c *transportv1.Connection) { c.Binding = make([]byte, 33) },
		func(c *transportv1.Connection) { c.Info.Remote = "no address" },
	} {
		c := good()
		change(c)
		if _, err := connectionFromWire(c); !errors.Is(err, ErrMalformed) {
			t.Errorf("%v: %v", c, err)
		}
	}
}

// FuzzTransportHost: whatever a plugin sends, its connection ends and nothing else does.
func FuzzTransportHost(f *testing.F) {
	for kind := range transportv1.Kind_name {
		f.Add(written(frame{kind: transportv1.Kind_ACCEPTED, stream: 1}, frame{kind: transportv1.Kind(kind), stream: 1, payload: []byte("payload")}))
	}
	f.Add(written(frame{kind: transportv1.Kind_INFO, payload: message(f, infoToWire(transport.Info{Local: name.MustAddress("10.0.0.1:1")}))}))
	f.Fuzz(func(t *testing.T, sent []byte) {
		if c := hear(sent); c.ctx.Err() == nil {
			t.Error("the connection goes on")
		}
	})
}

// FuzzTransportPlugin: whatever a host sends, the connection ends with the socket.
func FuzzTransportPlugin(f *testing.F) {
	for kind := range transportv1.Kind_name {
		f.Add(written(frame{kind: transportv1.Kind_OPEN, stream: 2}, frame{kind: transportv1.Kind(kind), stream: 2, payload: []byte("payload")}))
	}
	f.Add(written(frame{kind: transportv1.Kind_CLOSE, payload: message(f, &transportv1.End{Code: 3, Reason: "idle"})}))
	f.Fuzz(func(t *testing.T, sent []byte) {
		near, far := net.Pipe()
		conn := newStillConn()
		go func() { _, _ = io.Copy(io.Discard, far) }()
		go func() {
			_, _ = io.Copy(far, bytes.NewReader(sent))
			_ = far.Close()
		}()
		newCarried(conn, near).run()
		if conn.ctx.Err() == nil {
			t.Error("the connection goes on")
		}
	})
}

// A stream that the host gives up is given up by the plugin, however soon that comes.
func TestAStreamIsGivenUpAtOnce(t *testing.T) {
	reset := frame{kind: transportv1.Kind_RESET, stream: 1, payload: message(t, &transportv1.Reset{Read: true, Write: true})}
	ours := reset
	ours.stream = 2
	for what, says := range map[string]func(far net.Conn){
		"a stream that the host opens": func(far net.Conn) {
			go func() { _, _ = io.Copy(io.Discard, far) }()
			_, _ = far.Write(written(frame{kind: transportv1.Kind_OPEN, stream: 2}, ours))
		},
		"a stream of the peer": func(far net.Conn) {
			_, _ = io.ReadFull(far, make([]byte, frameHead))
			_, _ = far.Write(written(reset))
			_, _ = io.Copy(io.Discard, far)
		},
	} {
		near, far := net.Pipe()
		conn := &peerConn{stillConn: newStillConn(), streams: make(chan transport.Stream, 1)}
		conn.streams <- stillStream{conn.stillConn}
		go says(far)
		stuck := time.AfterFunc(10*time.Second, func() { _ = far.Close() })
		newCarried(conn, near).run()
		stuck.Stop()
		if err := context.Cause(conn.ctx); !errors.Is(err, transport.ErrClosed) { // the end that Reset gives it
			t.Errorf("%s: %v", what, err)
		}
	}
}

// deafPlugin is a process that reads nothing of its connections, and that does not stop
// either if it hangs.
type deafPlugin struct {
	grpc.ClientConnInterface

	hangs bool
}

func (p deafPlugin) Invoke(ctx context.Context, _ string, _, _ any, _ ...grpc.CallOption) error {
	if !p.hangs {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

// Many connections that hang take no longer to stop than one, and none longer than the
// caller waits.
func TestATransportThatHangsIsStopped(t *testing.T) {
	for what, tt := range map[string]struct {
		hangs       bool
		waits, want time.Duration
	}{
		"the plugin hangs":      {true, time.Second, time.Second},
		"only connections hang": {false, time.Minute, closePatience},
		"the caller leaves":     {false, time.Second, time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			carrier := NewTransport(deafPlugin{hangs: tt.hangs}, "")
			carrier.running = true
			var conns []*transportConn
			for range 3 {
				near, _ := net.Pipe()
				c, err := carrier.serve(near, transport.Info{})
				if err != nil {
					t.Fatal(err)
				}
				conns = append(conns, c)
			}
			ctx, cancel := context.WithTimeout(t.Context(), tt.waits)
			defer cancel()
			begun := time.Now()
			if err := carrier.Stop(ctx); (err != nil) != tt.hangs {
				t.Errorf("%s: Stop: %v", what, err)
			}
			if took := time.Since(begun); took != tt.want {
				t.Errorf("%s: it took %v", what, took)
			}
			for _, c := range conns {
				if ended, ok := errors.AsType[*transport.CloseError](c.cause()); !ok || ended.Code != transport.CloseStopping {
					t.Errorf("%s: a connection ended with %v", what, c.cause())
				}
			}
		})
	}
}

// A connection that is picked up while the transport stops is not left behind.
func TestAConnectionComesTooLate(t *testing.T) {
	near, far := net.Pipe()
	if c, err := NewTransport(deafPlugin{}, "").serve(near, transport.Info{}); c != nil || !errors.Is(err, transport.ErrClosed) {
		t.Errorf("%v, %v", c, err)
	}
	if _, err := far.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("its socket is open: %v", err)
	}
}

// peerConn is one whose peer opens streams.
type peerConn struct {
	*stillConn

	streams chan transport.Stream
}

func (c *peerConn) AcceptStream(ctx context.Context) (transport.Stream, error) {
	select {
	case s := <-c.streams:
		return s, nil
	default:
		return c.stillConn.AcceptStream(ctx)
	}
}

// stillConn is a connection on which nothing happens until it is closed.
type stillConn struct {
	ctx context.Context
	end context.CancelCauseFunc
}

func newStillConn() *stillConn {
	c := &stillConn{}
	c.ctx, c.end = context.WithCancelCause(context.Background())
	return c
}

func (c *stillConn) wait(ctx context.Context) error {
	select {
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *stillConn) OpenStream(context.Context) (transport.Stream, error) { return stillStream{c}, nil }

func (c *stillConn) AcceptStream(ctx context.Context) (transport.Stream, error) {
	return nil, c.wait(ctx)
}

func (*stillConn) SendDatagram([]byte) error { return nil }

func (c *stillConn) ReceiveDatagram(ctx context.Context) ([]byte, error) { return nil, c.wait(ctx) }

func (c *stillConn) Close(code transport.CloseCode, reason string) error {
	c.end(&transport.CloseError{Code: code, Reason: reason})
	return nil
}

func (c *stillConn) Context() context.Context { return c.ctx }
func (*stillConn) Info() transport.Info       { return transport.Info{} }

type stillStream struct{ conn *stillConn }

func (s stillStream) Read([]byte) (int, error)       { return 0, s.conn.wait(context.Background()) }
func (s stillStream) Write(p []byte) (int, error)    { return len(p), nil }
func (stillStream) CloseWrite() error                { return nil }
func (s stillStream) Reset(transport.CloseCode)      { s.conn.end(transport.ErrClosed) }
func (stillStream) SetReadDeadline(time.Time) error  { return nil }
func (stillStream) SetWriteDeadline(time.Time) error { return nil }
