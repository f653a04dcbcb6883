package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/proto/transportv1"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// askTime is for questions whose caller has no context.
const askTime = time.Second

// Transport is the host half of a transport. Its connections are those that the plugin
// has, by way of sockets in a directory that both share.
type Transport struct {
	*Plugin

	client transportv1.TransportClient
	dir    string

	mu        sync.Mutex
	running   bool
	addresses []name.Address
	liveness  transport.Liveness
	conns     map[*transportConn]bool
	served    sync.WaitGroup
}

var (
	_ transport.Plugin             = (*Transport)(nil)
	_ transport.CertificateRotator = (*Transport)(nil)
)

// NewTransport asks over a connection, and looks for sockets in a directory.
func NewTransport(conn grpc.ClientConnInterface, dir string) *Transport {
	return &Transport{Plugin: NewPlugin(conn), client: transportv1.NewTransportClient(conn), dir: dir, conns: map[*transportConn]bool{}}
}

// Start starts the plugin.
func (t *Transport) Start(ctx context.Context) error {
	err := t.Plugin.Start(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running = err == nil
	return err
}

// Stop stops the plugin, which closes its connections, and sees to it that they end here:
// within ctx, and at once if the plugin does not stop.
func (t *Transport) Stop(ctx context.Context) error {
	err := t.Plugin.Stop(ctx)
	patience, cancel := context.WithTimeout(ctx, closePatience)
	defer cancel()
	if err != nil {
		cancel()
	}
	t.mu.Lock()
	t.running = false
	for c := range t.conns {
		t.served.Go(func() { c.close(patience, transport.CloseStopping, "") })
	}
	t.mu.Unlock()
	t.served.Wait()
	return err
}

// Dial has the plugin dial.
func (t *Transport) Dial(ctx context.Context, addr name.Address) (transport.Conn, error) {
	in, err := t.client.Dial(ctx, &transportv1.DialRequest{Address: addr.String()})
	if err = called(ctx, err, in.GetError()); err != nil {
		return nil, err
	}
	return t.pickUp(ctx, in.GetConnection())
}

// Accept waits for the next connection of a peer.
func (t *Transport) Accept(ctx context.Context) (transport.Conn, error) {
	in, err := t.client.Accept(ctx, &transportv1.AcceptRequest{})
	if err = called(ctx, err, in.GetError()); err != nil {
		return nil, err
	}
	return t.pickUp(ctx, in.GetConnection())
}

// pickUp connects to where the plugin says that a connection is.
func (t *Transport) pickUp(ctx context.Context, in *transportv1.Connection) (transport.Conn, error) {
	info, err := connectionFromWire(in)
	if err != nil {
		return nil, err
	}
	at := filepath.Join(t.dir, in.GetSocket())
	if file, err := os.Lstat(at); err == nil && file.Mode().Type() != os.ModeSocket {
		return nil, malformed("a connection at %q, which is no socket", text(in.GetSocket())) // a link could lead anywhere
	}
	var dialer net.Dialer
	socket, err := dialer.DialContext(ctx, "unix", at)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: socket for bytes: %w", plugin.ErrGone, err), ctx.Err())
	}
	if _, err := socket.Write(in.GetToken()); err != nil {
		_ = socket.Close()
		return nil, fmt.Errorf("%w: socket for bytes: %w", plugin.ErrGone, err)
	}
	c, err := t.serve(socket, info)
	switch {
	case err != nil:
		return nil, err
	case in.GetMigrates():
		return movingConn{c}, nil
	}
	return c, nil
}

// serve has a connection read its socket, unless the transport has stopped meanwhile.
func (t *Transport) serve(socket net.Conn, info transport.Info) (*transportConn, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.running {
		_ = socket.Close()
		return nil, transport.ErrClosed
	}
	c := newTransportConn(newFramer(socket), info)
	t.conns[c] = true
	t.served.Go(func() {
		c.run()
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.conns, c)
	})
	return c, nil
}

// Addresses asks the plugin; while it does not answer they are what they were.
func (t *Transport) Addresses() []name.Address {
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	in, err := t.client.Addresses(ctx, &transportv1.AddressesRequest{})
	endpoints, wrong := endpointsFromWire(in.GetAddresses())
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil && wrong == nil && in.GetError() == nil {
		t.addresses = endpoints
	}
	if !t.running {
		return nil
	}
	return t.addresses
}

// Liveness asks the plugin, until it has answered.
func (t *Transport) Liveness() transport.Liveness {
	t.mu.Lock()
	known := t.liveness
	t.mu.Unlock()
	if known.Idle > 0 {
		return known
	}
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	in, err := t.client.Liveness(ctx, &transportv1.LivenessRequest{})
	said := transport.Liveness{Heartbeat: in.GetHeartbeat().AsDuration(), Idle: in.GetIdle().AsDuration()}
	if err != nil || in.GetError() != nil || said.Heartbeat <= 0 || said.Idle < 3*said.Heartbeat {
		return UsualLiveness()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.liveness = said
	return said
}

// UsualLiveness stands for that of a transport that cannot be asked.
func UsualLiveness() transport.Liveness {
	return transport.Liveness{Heartbeat: time.Second, Idle: 3 * time.Second}
}

// RotateCertificate has the plugin replace its certificate.
func (t *Transport) RotateCertificate(ctx context.Context) (string, error) {
	in, err := t.client.RotateCertificate(ctx, &transportv1.RotateCertificateRequest{})
	return text(in.GetBackup()), called(ctx, err, in.GetError())
}

// ServeTransport offers the plugin that a holder holds, and its connections at a bridge.
func ServeTransport(s grpc.ServiceRegistrar, carrier *Holder[transport.Plugin], bridge *Bridge) {
	transportv1.RegisterTransportServer(s, &transportServer{carrier: carrier, bridge: bridge})
}

// transportServer is the plugin half.
type transportServer struct {
	transportv1.UnimplementedTransportServer

	carrier *Holder[transport.Plugin]
	bridge  *Bridge
}

func (s *transportServer) Liveness(context.Context, *transportv1.LivenessRequest) (*transportv1.LivenessResponse, error) {
	p, err := s.carrier.Get()
	if err != nil {
		return &transportv1.LivenessResponse{Error: toWire(err)}, nil
	}
	l := p.Liveness()
	return &transportv1.LivenessResponse{Heartbeat: durationpb.New(l.Heartbeat), Idle: durationpb.New(l.Idle)}, nil
}

func (s *transportServer) Addresses(context.Context, *transportv1.AddressesRequest) (*transportv1.AddressesResponse, error) {
	p, err := s.carrier.Get()
	if err != nil {
		return &transportv1.AddressesResponse{Error: toWire(err)}, nil
	}
	out := &transportv1.AddressesResponse{}
	for _, addr := range p.Addresses() {
		out.Addresses = append(out.Addresses, addr.String())
	}
	return out, nil
}

func (s *transportServer) Dial(ctx context.Context, in *transportv1.DialRequest) (*transportv1.DialResponse, error) {
	addr, err := name.ParseAddress(in.GetAddress())
	if err != nil {
		return &transportv1.DialResponse{Error: toWire(err)}, nil
	}
	at, err := s.connection(func(p transport.Plugin) (transport.Conn, error) { return p.Dial(ctx, addr) })
	return &transportv1.DialResponse{Connection: at, Error: toWire(err)}, nil
}

func (s *transportServer) Accept(ctx context.Context, _ *transportv1.AcceptRequest) (*transportv1.AcceptResponse, error) {
	at, err := s.connection(func(p transport.Plugin) (transport.Conn, error) { return p.Accept(ctx) })
	return &transportv1.AcceptResponse{Connection: at, Error: toWire(err)}, nil
}

func (s *transportServer) connection(get func(transport.Plugin) (transport.Conn, error)) (*transportv1.Connection, error) {
	p, err := s.carrier.Get()
	if err != nil {
		return nil, err
	}
	conn, err := get(p)
	if err != nil {
		return nil, err
	}
	return s.bridge.offer(conn)
}

func (s *transportServer) RotateCertificate(ctx context.Context, _ *transportv1.RotateCertificateRequest) (*transportv1.RotateCertificateResponse, error) {
	p, err := s.carrier.Get()
	if err != nil {
		return &transportv1.RotateCertificateResponse{Error: toWire(err)}, nil
	}
	rotator, ok := p.(transport.CertificateRotator)
	if !ok {
		return &transportv1.RotateCertificateResponse{Error: toWire(plugin.ErrUnsupported)}, nil
	}
	backup, err := rotator.RotateCertificate(ctx)
	return &transportv1.RotateCertificateResponse{Backup: backup, Error: toWire(err)}, nil
}

// connectionFromWire believes nothing: the socket is a file in the directory itself.
func connectionFromWire(in *transportv1.Connection) (transport.Info, error) {
	socket, info := in.GetSocket(), transport.Info{Dialed: in.GetDialed()}
	switch {
	case socket == "" || len(socket) > 64 || strings.ContainsAny(socket, "/\\\x00") || strings.Trim(socket, ".") == "":
		return info, malformed("a connection at the socket %q", text(socket))
	case len(in.GetToken()) != tokenSize || copy(info.Binding[:], in.GetBinding()) != len(in.GetBinding()) || len(in.GetBinding()) != len(info.Binding):
		return info, malformed("a connection with a token of %d bytes and a binding of %d", len(in.GetToken()), len(in.GetBinding()))
	}
	return infoFromWire(in.GetInfo(), info)
}

// infoFromWire is what was said, with what does not change as it was known before.
func infoFromWire(in *transportv1.Info, known transport.Info) (transport.Info, error) {
	if errors.Join(known.Local.UnmarshalText([]byte(in.GetLocal())), known.Remote.UnmarshalText([]byte(in.GetRemote()))) != nil {
		return known, malformed("a connection from %q to %q", text(in.GetLocal()), text(in.GetRemote()))
	}
	known.RTT, known.BytesSent, known.BytesReceived = max(0, in.GetRtt().AsDuration()), in.GetBytesSent(), in.GetBytesReceived()
	known.PacketsReceived = in.GetPacketsReceived()
	return known, nil
}

func infoToWire(info transport.Info) *transportv1.Info {
	return &transportv1.Info{
		Local: info.Local.String(), Remote: info.Remote.String(), Rtt: durationpb.New(info.RTT),
		BytesSent: info.BytesSent, BytesReceived: info.BytesReceived, PacketsReceived: info.PacketsReceived,
	}
}

func endToWire(cause error) *transportv1.End {
	if closed, ok := errors.AsType[*transport.CloseError](cause); ok {
		return &transportv1.End{Remote: closed.Remote, Code: uint32(closed.Code), Reason: clipped(closed.Reason)}
	}
	return &transportv1.End{Error: toWire(cause)}
}

func endFromWire(in *transportv1.End) error {
	if in.GetError() != nil {
		return fromWire(in.GetError())
	}
	return &transport.CloseError{Remote: in.GetRemote(), Code: transport.CloseCode(in.GetCode()), Reason: clipped(text(in.GetReason()))}
}

// clipped is a reason that travels: short, and of whole characters.
func clipped(reason string) string {
	return strings.ToValidUTF8(reason[:min(len(reason), maxCloseReason)], "")
}
