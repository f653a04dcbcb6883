package external

import (
	"context"
	"errors"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/interfaces/wire"
)

// dialLimit is for a dial whose caller waits for ever. A dial takes as long as the
// network does, so the time of a call does not count.
const dialLimit = time.Minute

// Transport makes a factory of a transport in a process of its own. Its settings are a
// *plugin.Section. When the process ends its connections end with plugin.ErrGone; the
// next process dials and accepts anew. The process sees the bytes of all links as they
// are, and tells the binding by which the handshake knows a relay: it is trusted as the
// node is.
func Transport(spec Spec, opts Options) transport.Factory {
	return plugin.Define(spec.Name, "a transport in a process of its own (experimental)", noSection,
		func(env transport.Env, section *plugin.Section) (transport.Plugin, error) {
			if err := spec.validate(); err != nil {
				return nil, err
			}
			f := &transportFacade{}
			f.life, f.end = context.WithCancel(context.Background())
			f.end()
			f.guest = newGuest(spec, opts, env, *section, []string{transport.Contract}, func(conn grpc.ClientConnInterface, said wire.Description) *wire.Transport {
				return wire.NewTransport(conn, said.Sockets)
			})
			f.guest.alone = true
			return f, nil
		})
}

type transportFacade struct {
	*guest[*wire.Transport]

	mu   sync.Mutex
	life context.Context // ends with Stop
	end  context.CancelFunc
}

var (
	_ transport.Plugin             = (*transportFacade)(nil)
	_ transport.CertificateRotator = (*transportFacade)(nil)
	_ plugin.Reloader              = (*transportFacade)(nil)
	_ plugin.HealthReporter        = (*transportFacade)(nil)
	_ plugin.HealthTeller          = (*transportFacade)(nil)
	_ plugin.Hosted                = (*transportFacade)(nil)
	_ plugin.Replacer              = (*transportFacade)(nil)
	_ plugin.Facade                = (*transportFacade)(nil)
)

// Start launches the process.
func (f *transportFacade) Start(ctx context.Context) error {
	if err := f.guest.Start(ctx); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.life, f.end = context.WithCancel(context.Background())
	return nil
}

// Stop ends every Accept, and then the process.
func (f *transportFacade) Stop(ctx context.Context) error {
	f.mu.Lock()
	f.end()
	f.mu.Unlock()
	return f.guest.Stop(ctx)
}

func (f *transportFacade) current() context.Context {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.life
}

// Dial asks the plugin.
func (f *transportFacade) Dial(ctx context.Context, addr name.Address) (transport.Conn, error) {
	return callWithin(ctx, f.guest, dialLimit, func(ctx context.Context, t *wire.Transport) (transport.Conn, error) {
		return t.Dial(ctx, addr)
	})
}

// Accept waits for a connection, by whichever process there is.
func (f *transportFacade) Accept(ctx context.Context) (transport.Conn, error) {
	life := f.current()
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(life, cancel)()
	for {
		live, changed := f.now()
		if live != nil {
			conn, err := live.half.Accept(waiting)
			if err == nil {
				return conn, nil
			}
		}
		select {
		case <-life.Done():
			return nil, f.named(transport.ErrClosed)
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-changed:
		case <-time.After(acceptPause):
		}
	}
}

// acceptPause is between attempts to accept while the process does not let us.
const acceptPause = 100 * time.Millisecond

// Addresses asks the plugin; none while there is no process.
func (f *transportFacade) Addresses() []name.Address {
	live, _ := f.now()
	if live == nil {
		return nil
	}
	return live.half.Addresses()
}

// Liveness asks the plugin; the usual while there is no process.
func (f *transportFacade) Liveness() transport.Liveness {
	live, _ := f.now()
	if live == nil {
		return wire.UsualLiveness()
	}
	return live.half.Liveness()
}

// RotateCertificate asks the plugin, if it has one.
func (f *transportFacade) RotateCertificate(ctx context.Context) (string, error) {
	backup, err := call(ctx, f.guest, func(ctx context.Context, t *wire.Transport) (string, error) { return t.RotateCertificate(ctx) })
	if errors.Is(err, plugin.ErrUnsupported) {
		return "", plugin.ErrUnsupported
	}
	return backup, err
}
