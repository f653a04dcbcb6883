package external

import (
	"context"
	"strconv"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/barrelp2p/barrel/interfaces/wire"
)

// dialOptions bound what a connection may cost, and give every call a name, which the
// plugin's log repeats.
func dialOptions() []grpc.DialOption {
	var last atomic.Uint64
	named := func(ctx context.Context) context.Context {
		return metadata.AppendToOutgoingContext(ctx, wire.CallHeader, strconv.FormatUint(last.Add(1), 10))
	}
	return []grpc.DialOption{
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(wire.MaxMessage), grpc.MaxCallSendMsgSize(wire.MaxMessage)),
		grpc.WithUnaryInterceptor(func(ctx context.Context, method string, in, out any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			return invoke(named(ctx), method, in, out, conn, opts...)
		}),
		grpc.WithStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			// go-plugin keeps what a plugin announces here for seconds, without a limit,
			// and we have no use for it.
			if method == "/plugin.GRPCBroker/StartStream" {
				return nil, status.Error(codes.Unimplemented, "no brokered connections")
			}
			return open(named(ctx), desc, conn, method, opts...)
		}),
	}
}
