package wire

import (
	"context"
	"net"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
)

// InMemory serves what register registers in this process and connects to it, so that
// the halves can be tried without a second process. The connection is up when it
// returns. end closes both and waits for what runs.
func InMemory(ctx context.Context, register func(grpc.ServiceRegistrar)) (conn grpc.ClientConnInterface, end func(), err error) {
	listener := bufconn.Listen(1 << 16)
	server := grpc.NewServer(grpc.MaxRecvMsgSize(MaxMessage))
	register(server)
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	client, err := grpc.NewClient("passthrough:memory", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxMessage)))
	end = func() {
		if client != nil {
			_ = client.Close()
		}
		server.Stop()
		serving.Wait()
	}
	if err == nil {
		_, err = NewPlugin(client).Describe(ctx, "", nil)
	}
	if err != nil {
		end()
		return nil, nil, err
	}
	return client, end, nil
}
