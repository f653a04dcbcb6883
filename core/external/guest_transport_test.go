package external

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

func carrier() transport.Factory {
	return plugin.Define("test", "a transport to test with", func() *settings { return &settings{Port: 1} },
		func(_ transport.Env, s *settings) (transport.Plugin, error) { return &oddTransport{port: s.Port}, nil })
}

// oddTransport has an address, and nobody else at it.
type oddTransport struct {
	port uint16

	mu       sync.Mutex
	listener net.Listener
}

func (o *oddTransport) Start(context.Context) error {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", o.port))
	o.mu.Lock()
	defer o.mu.Unlock()
	o.listener = listener
	return err
}

func (o *oddTransport) Stop(context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.listener == nil {
		return nil
	}
	err := o.listener.Close()
	o.listener = nil
	return err
}

func (*oddTransport) Dial(context.Context, name.Address) (transport.Conn, error) {
	return nil, transport.ErrUnreachable
}

func (*oddTransport) Accept(ctx context.Context) (transport.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (o *oddTransport) Addresses() []name.Address {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.listener == nil {
		return nil
	}
	return []name.Address{name.MustAddress(o.listener.Addr().String())}
}

func (*oddTransport) Liveness() transport.Liveness {
	return transport.Liveness{Heartbeat: time.Second, Idle: 3 * time.Second}
}
