package sdk

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/barrelp2p/barrel/interfaces/wire"
)

// newServer is a gRPC server that has a limit, survives panics and knows which call it
// works for.
func newServer(options []grpc.ServerOption) *grpc.Server {
	log := newLogger(os.Stderr)
	return grpc.NewServer(append(options,
		grpc.MaxRecvMsgSize(wire.MaxMessage),
		grpc.UnaryInterceptor(func(ctx context.Context, in any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (out any, err error) {
			ctx = identified(ctx)
			defer contain(ctx, log, info.FullMethod, &err)
			return handle(ctx, in)
		}),
		grpc.StreamInterceptor(func(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
			defer contain(stream.Context(), log, info.FullMethod, &err)
			return handle(server, identifiedStream{stream, identified(stream.Context())})
		}),
	)...)
}

// contain turns a panic into the error of the call.
func contain(ctx context.Context, log *slog.Logger, method string, err *error) {
	if value := recover(); value != nil {
		log.ErrorContext(ctx, "panicked", "method", method, "panic", fmt.Sprint(value), "stack", string(debug.Stack()))
		*err = status.Errorf(codes.Internal, "panicked: %v", value)
	}
}

type identifiedStream struct {
	grpc.ServerStream

	ctx context.Context
}

// Context knows the call.
func (s identifiedStream) Context() context.Context { return s.ctx }

type callKey struct{}

// identified puts the name that the host gave a call into its context.
func identified(ctx context.Context) context.Context {
	if names := metadata.ValueFromIncomingContext(ctx, wire.CallHeader); len(names) > 0 {
		return context.WithValue(ctx, callKey{}, names[0])
	}
	return ctx
}
