package plugintest_test

import (
	"context"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
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
