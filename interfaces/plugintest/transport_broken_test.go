package plugintest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
	transportmemory "github.com/barrelp2p/barrel/plugins/transport-memory"
)

// spoiled is a sound transport with some of its calls replaced; nil leaves a call as
// it is.
type spoiled struct {
	transport.Plugin
	start     func(ctx context.Context, p transport.Plugin) error
	stop      func(ctx context.Context, p transport.Plugin) error
	dial      func(ctx context.Context, p transport.Plugin, a name.Address) (transport.Conn, error)
	accept    func(ctx context.Context, p transport.Plugin) (transport.Conn, error)
	addresses func(p transport.Plugin) []name.Address
	liveness  func() transport.Liveness
	conn      func(c transport.Conn) transport.Conn
}

func (s *spoiled) Start(ctx context.Context) error {
	if s.start != nil {
		return s.start(ctx, s.Plugin)
	}
	return s.Plugin.Start(ctx)
}

func (s *spoiled) Stop(ctx context.Context) error {
	if s.stop != nil {
		return s.stop(ctx, s.Plugin)
	}
	return s.Plugin.Stop(ctx)
}

func (s *spoiled) Dial(ctx context.Context, a name.Address) (transport.Conn, error) {
	if s.dial != nil {
		return s.dial(ctx, s.Plugin, a)
	}
	return s.wrap(s.Plugin.Dial(ctx, a))
}

func (s *spoiled) Accept(ctx context.Context) (transport.Conn, error) {
	if s.accept != nil {
		return s.accept(ctx, s.Plugin)
	}
	return s.wrap(s.Plugin.Accept(ctx))
}

func (s *spoiled) wrap(c transport.Conn, err error) (transport.Conn, error) {
	if err != nil || s.conn == nil {
		return c, err
	}
	return s.conn(c), nil
}

func (s *spoiled) Addresses() []name.Address {
	if s.addresses != nil {
		return s.addresses(s.Plugin)
	}
	return s.Plugin.Addresses()
}

func (s *spoiled) Liveness() transport.Liveness {
	if s.liveness != nil {
		return s.liveness()
	}
	return s.Plugin.Liveness()
}

// spoiledConn is a sound connection with some of its calls replaced.
type spoiledConn struct {
	transport.Conn
	close  func(c transport.Conn, code transport.CloseCode, reason string) error
	info   func(i transport.Info) transport.Info
	send   func(c transport.Conn, data []byte) error
	ctx    func(ctx context.Context) context.Context
	opened func(s transport.Stream) transport.Stream // what the peer opens too
	anyCtx bool                                      // contexts of calls are ignored
	eager  bool                                      // streams are announced when opened
}

func (s *spoiledConn) Close(code transport.CloseCode, reason string) error {
	if s.close != nil {
		return s.close(s.Conn, code, reason)
	}
	return s.Conn.Close(code, reason)
}

func (s *spoiledConn) Info() transport.Info {
	if s.info != nil {
		return s.info(s.Conn.Info())
	}
	return s.Conn.Info()
}

func (s *spoiledConn) SendDatagram(data []byte) error {
	if s.send != nil {
		return s.send(s.Conn, data)
	}
	return s.Conn.SendDatagram(data)
}

func (s *spoiledConn) Context() context.Context {
	if s.ctx != nil {
		return s.ctx(s.Conn.Context())
	}
	return s.Conn.Context()
}

func (s *spoiledConn) OpenStream(ctx context.Context) (transport.Stream, error) {
	if s.anyCtx {
		ctx = context.WithoutCancel(ctx)
	}
	return s.wrap(s.greet(s.Conn.OpenStream(ctx)))
}

func (s *spoiledConn) AcceptStream(ctx context.Context) (transport.Stream, error) {
	return s.wrap(s.greeted(s.Conn.AcceptStream(ctx)))
}

func (s *spoiledConn) greet(stream transport.Stream, err error) (transport.Stream, error) {
	if err == nil && s.eager {
		_, err = stream.Write([]byte{0})
	}
	return stream, err
}

func (s *spoiledConn) greeted(stream transport.Stream, err error) (transport.Stream, error) {
	if err == nil && s.eager {
		_, err = stream.Read(make([]byte, 1))
	}
	return stream, err
}

func (s *spoiledConn) wrap(stream transport.Stream, err error) (transport.Stream, error) {
	if err != nil || s.opened == nil {
		return stream, err
	}
	return s.opened(stream), nil
}

// spoiledStream is a sound stream with some of its calls replaced.
type spoiledStream struct {
	transport.Stream
	read       func(s transport.Stream, p []byte) (int, error)
	write      func(s transport.Stream, p []byte) (int, error)
	closeWrite func(s transport.Stream) error
	reset      func(s transport.Stream, code transport.CloseCode)
	readUntil  func(s transport.Stream, t time.Time) error
	writeUntil func(s transport.Stream, t time.Time) error
}

func (s *spoiledStream) Read(p []byte) (int, error) {
	if s.read != nil {
		return s.read(s.Stream, p)
	}
	return s.Stream.Read(p)
}

func (s *spoiledStream) Write(p []byte) (int, error) {
	if s.write != nil {
		return s.write(s.Stream, p)
	}
	return s.Stream.Write(p)
}

func (s *spoiledStream) CloseWrite() error {
	if s.closeWrite != nil {
		return s.closeWrite(s.Stream)
	}
	return s.Stream.CloseWrite()
}

func (s *spoiledStream) Reset(code transport.CloseCode) {
	if s.reset != nil {
		s.reset(s.Stream, code)
		return
	}
	s.Stream.Reset(code)
}

func (s *spoiledStream) SetReadDeadline(t time.Time) error {
	if s.readUntil != nil {
		return s.readUntil(s.Stream, t)
	}
	return s.Stream.SetReadDeadline(t)
}

func (s *spoiledStream) SetWriteDeadline(t time.Time) error {
	if s.writeUntil != nil {
		return s.writeUntil(s.Stream, t)
	}
	return s.Stream.SetWriteDeadline(t)
}

// eachConn spoils the connections of a transport, eachStream their streams.
func eachConn(spoil func() *spoiledConn) func() *spoiled {
	return func() *spoiled {
		return &spoiled{conn: func(c transport.Conn) transport.Conn {
			s := spoil()
			s.Conn = c
			return s
		}}
	}
}

func eachStream(spoil func() *spoiledStream) func() *spoiled {
	return eachConn(func() *spoiledConn {
		return &spoiledConn{opened: func(stream transport.Stream) transport.Stream {
			s := spoil()
			s.Stream = stream
			return s
		}}
	})
}

// brokenTransport is a way to break the contract and the checks that must notice; no
// other check may complain.
type brokenTransport struct {
	name  string
	spoil func() *spoiled
	found []string
}

func brokenTransports() []brokenTransport {
	return slices.Concat(brokenLives(), brokenDials(), brokenConns(), brokenStreams())
}

func brokenLives() []brokenTransport {
	return []brokenTransport{
		{"is sound", func() *spoiled { return &spoiled{} }, nil},
		{"fails at the second Stop", func() *spoiled {
			stopped := false
			return &spoiled{stop: func(ctx context.Context, p transport.Plugin) error {
				if stopped {
					return errors.New("not running")
				}
				stopped = true
				return p.Stop(ctx)
			}}
		}, []string{"lifecycle", "accept after stop", "stop tells peers", "restart"}},
		{"starts only once", func() *spoiled {
			started := false
			return &spoiled{start: func(ctx context.Context, p transport.Plugin) error {
				if started {
					return errors.New("was used already")
				}
				started = true
				return p.Start(ctx)
			}}
		}, []string{"lifecycle", "restart"}},
		{"has addresses before Start", func() *spoiled {
			return &spoiled{addresses: func(p transport.Plugin) []name.Address {
				if a := p.Addresses(); len(a) > 0 {
					return a
				}
				return []name.Address{name.MustAddress("mem:1")}
			}}
		}, []string{"addresses"}},
		{"heartbeats too rarely", func() *spoiled {
			return &spoiled{liveness: func() transport.Liveness {
				return transport.Liveness{Heartbeat: time.Second, Idle: time.Second}
			}}
		}, []string{"liveness"}},
		{"forgets to tell its peers that it stops", func() *spoiled {
			var conns []transport.Conn
			return &spoiled{
				conn: func(c transport.Conn) transport.Conn { conns = append(conns, c); return c },
				stop: func(ctx context.Context, p transport.Plugin) error {
					for _, c := range conns {
						_ = c.Close(transport.CloseNone, "")
					}
					return p.Stop(ctx)
				},
			}
		}, []string{"stop tells peers"}},
	}
}

func brokenDials() []brokenTransport {
	return []brokenTransport{
		{"does not say unreachable", func() *spoiled {
			return &spoiled{dial: func(ctx context.Context, p transport.Plugin, a name.Address) (transport.Conn, error) {
				c, err := p.Dial(ctx, a)
				if errors.Is(err, transport.ErrUnreachable) {
					err = errors.New("no route")
				}
				return c, err
			}}
		}, []string{"dial nobody"}},
		{"ignores the context of Dial", func() *spoiled {
			return &spoiled{dial: func(ctx context.Context, p transport.Plugin, a name.Address) (transport.Conn, error) {
				return p.Dial(context.WithoutCancel(ctx), a)
			}}
		}, []string{"dial cancelled"}},
		{"ignores the context of Accept", func() *spoiled {
			return &spoiled{accept: func(ctx context.Context, p transport.Plugin) (transport.Conn, error) {
				return p.Accept(context.WithoutCancel(ctx))
			}}
		}, []string{"accept cancelled"}},
		{"does not say closed", func() *spoiled {
			return &spoiled{accept: func(ctx context.Context, p transport.Plugin) (transport.Conn, error) {
				c, err := p.Accept(ctx)
				if errors.Is(err, transport.ErrClosed) {
					err = errors.New("use of closed connection")
				}
				return c, err
			}}
		}, []string{"accept after stop"}},
	}
}

func brokenConns() []brokenTransport {
	informing := func(change func(*transport.Info)) func() *spoiled {
		return eachConn(func() *spoiledConn {
			return &spoiledConn{info: func(i transport.Info) transport.Info { change(&i); return i }}
		})
	}
	return []brokenTransport{
		{"has one binding for all", informing(func(i *transport.Info) { i.Binding = [32]byte{1} }), []string{"binding"}},
		{"has no binding", informing(func(i *transport.Info) { i.Binding = [32]byte{} }), []string{"binding"}},
		{"binds one end only", informing(func(i *transport.Info) {
			if i.Dialed {
				i.Binding[0]++
			}
		}), []string{"binding"}},
		{"does not know who dialed", informing(func(i *transport.Info) { i.Dialed = true }), []string{"direction"}},
		{"does not count bytes", informing(func(i *transport.Info) { i.BytesSent = 0 }), []string{"counters"}},
		{"does not count packets", informing(func(i *transport.Info) { i.PacketsReceived = 1 }), []string{"counters"}},
		{"loses the close code", eachConn(func() *spoiledConn {
			return &spoiledConn{close: func(c transport.Conn, _ transport.CloseCode, reason string) error {
				return c.Close(transport.CloseNone, reason)
			}}
		}), []string{"close reaches the peer", "first close decides", "closed connection"}},
		{"loses the reason", eachConn(func() *spoiledConn {
			return &spoiledConn{close: func(c transport.Conn, code transport.CloseCode, _ string) error {
				return c.Close(code, "")
			}}
		}), []string{"close reaches the peer", "first close decides"}},
		{"fails at the second Close", eachConn(func() *spoiledConn {
			closed := false
			return &spoiledConn{close: func(c transport.Conn, code transport.CloseCode, reason string) error {
				if closed {
					return errors.New("closed")
				}
				closed = true
				return c.Close(code, reason)
			}}
		}), []string{"first close decides"}},
		{"loses the cause", eachConn(func() *spoiledConn {
			return &spoiledConn{ctx: func(ctx context.Context) context.Context {
				plain, cancel := context.WithCancel(context.Background())
				context.AfterFunc(ctx, cancel)
				return plain
			}}
		}), []string{"close reaches the peer", "first close decides", "stop tells peers"}},
		{"loses large datagrams", eachConn(func() *spoiledConn {
			return &spoiledConn{send: func(c transport.Conn, data []byte) error {
				if len(data) > 100 && len(data) <= transport.MaxDatagram {
					return nil
				}
				return c.SendDatagram(data)
			}}
		}), []string{"datagrams"}},
		{"takes datagrams of any size", eachConn(func() *spoiledConn {
			return &spoiledConn{send: func(c transport.Conn, data []byte) error {
				return c.SendDatagram(data[:min(len(data), transport.MaxDatagram)])
			}}
		}), []string{"datagram too large"}},
		{"ignores the context of OpenStream", eachConn(func() *spoiledConn {
			return &spoiledConn{anyCtx: true}
		}), []string{"open cancelled"}},
	}
}

func brokenStreams() []brokenTransport {
	return []brokenTransport{
		{"swaps bytes", eachStream(func() *spoiledStream {
			return &spoiledStream{write: func(s transport.Stream, p []byte) (int, error) {
				p = slices.Clone(p)
				slices.Reverse(p)
				return s.Write(p)
			}}
		}), []string{"stream order", "half close", "open sends nothing", "read deadline"}},
		{"does not close the sending side", eachStream(func() *spoiledStream {
			return &spoiledStream{closeWrite: func(transport.Stream) error { return nil }}
		}), []string{"half close", "many connections", "write after close"}},
		{"closes both sides", eachStream(func() *spoiledStream {
			return &spoiledStream{closeWrite: func(s transport.Stream) error { s.Reset(transport.CloseNone); return nil }}
		}), []string{"half close", "many connections"}},
		{"resets nothing", eachStream(func() *spoiledStream {
			return &spoiledStream{reset: func(transport.Stream, transport.CloseCode) {}}
		}), []string{"reset", "reset of pending calls"}},
		{"loses the code of a reset", eachStream(func() *spoiledStream {
			return &spoiledStream{reset: func(s transport.Stream, _ transport.CloseCode) { s.Reset(transport.CloseNone) }}
		}), []string{"reset", "reset of pending calls"}},
		{"has no read deadlines", eachStream(func() *spoiledStream {
			return &spoiledStream{readUntil: func(transport.Stream, time.Time) error { return nil }}
		}), []string{"read deadline"}},
		{"has no write deadlines", eachStream(func() *spoiledStream {
			return &spoiledStream{writeUntil: func(transport.Stream, time.Time) error { return nil }}
		}), []string{"write deadline", "back-pressure", "independent streams"}},
		{"announces streams when they are opened", eachConn(func() *spoiledConn {
			return &spoiledConn{eager: true}
		}), []string{"open sends nothing"}},
		{"buffers without bound", eachStream(func() *spoiledStream {
			return &spoiledStream{write: func(s transport.Stream, p []byte) (int, error) {
				if len(p) == 16<<10 { // what the suite fills with
					return len(p), nil
				}
				return s.Write(p)
			}}
		}), []string{"back-pressure", "write deadline"}},
		{"has one lock for all writes", sharedLock(), []string{"independent streams"}},
	}
}

// sharedLock lets one stream that waits hold up all others of the transport.
func sharedLock() func() *spoiled {
	return func() *spoiled {
		one := make(chan struct{}, 1) // no mutex: virtual time stands still while one is waited for
		return eachStream(func() *spoiledStream {
			return &spoiledStream{write: func(s transport.Stream, p []byte) (int, error) {
				one <- struct{}{}
				defer func() { <-one }()
				return s.Write(p)
			}}
		})()
	}
}

func TestTransportSuiteFindsWhatIsBroken(t *testing.T) {
	for _, b := range brokenTransports() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				found := broken(t, spoiledHarness(b.spoil), transportChecks())
				slices.Sort(found)
				want := slices.Sorted(slices.Values(b.found))
				if !slices.Equal(found, want) {
					t.Errorf("checks that complain: %q, want %q", found, want)
				}
			})
		})
	}
}

func spoiledHarness(spoil func() *spoiled) TransportHarness {
	factory := transportmemory.Factory()
	return TransportHarness{
		New: func(t T, node string) transport.Plugin {
			p, err := factory.New(Env(t, node), factory.Settings())
			if err != nil {
				t.Fatalf("New: %v", err)
			}
			s := spoil()
			s.Plugin = p
			return s
		},
		Nobody: func(T) name.Address { return name.MustAddress("mem:60000") },
	}
}
