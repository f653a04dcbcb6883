package plugintest_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/transport"
	transportmemory "github.com/barrelp2p/barrel/plugins/transport-memory"
)

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
		{"keeps datagrams until somebody receives them", eachConn(func() *spoiledConn {
			kept := 0
			return &spoiledConn{send: func(c transport.Conn, data []byte) error {
				if kept++; kept > 500 {
					<-c.Context().Done()
				}
				return c.SendDatagram(data)
			}}
		}), []string{"unread datagrams"}},
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
				found := plugintest.BrokenTransport(t, spoiledHarness(b.spoil))
				slices.Sort(found)
				want := slices.Sorted(slices.Values(b.found))
				if !slices.Equal(found, want) {
					t.Errorf("checks that complain: %q, want %q", found, want)
				}
			})
		})
	}
}

func spoiledHarness(spoil func() *spoiled) plugintest.TransportHarness {
	factory := transportmemory.Factory()
	return plugintest.TransportHarness{
		New: func(t plugintest.T, node string) transport.Plugin {
			p, err := factory.New(plugintest.Env(t, node), factory.Settings())
			if err != nil {
				t.Fatalf("New: %v", err)
			}
			s := spoil()
			s.Plugin = p
			return s
		},
		Nobody: func(plugintest.T) name.Address { return name.MustAddress("mem:60000") },
	}
}
