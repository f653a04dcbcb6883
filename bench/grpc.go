package main

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// echoServer is what the service description wants to be implemented.
type echoServer interface{ isEcho() }

type echoServant struct{}

func (echoServant) isEcho() {}

func serveGRPC() (string, error) {
	cert, err := certificate()
	if err != nil {
		return "", err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	s := grpc.NewServer(grpc.Creds(credentials.NewServerTLSFromCert(&cert)))
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: "bench.Echo", HandlerType: (*echoServer)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Echo", Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			in := &wrapperspb.BytesValue{}
			return in, decode(in)
		}}},
		Streams: []grpc.StreamDesc{{StreamName: "Push", ClientStreams: true, Handler: func(_ any, stream grpc.ServerStream) error {
			for {
				in := &wrapperspb.BytesValue{}
				if err := stream.RecvMsg(in); errors.Is(err, io.EOF) {
					return stream.SendMsg(&emptypb.Empty{})
				} else if err != nil {
					return err
				}
			}
		}}},
	}, echoServant{})
	go func() { _ = s.Serve(l) }()
	return l.Addr().String(), nil
}

type grpcClient struct{ conn *grpc.ClientConn }

func dialGRPC(addr string) (*grpcClient, error) {
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})))
	return &grpcClient{conn}, err
}

func (c *grpcClient) oneWay(ctx context.Context, size int, each time.Duration) (float64, error) {
	stream, err := c.conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true}, "/bench.Echo/Push")
	if err != nil {
		return 0, err
	}
	payload := wrapperspb.Bytes(make([]byte, size))
	begin, n := time.Now(), 0
	for time.Since(begin) < each {
		for range 1000 {
			if err := stream.SendMsg(payload); err != nil {
				return 0, err
			}
		}
		n += 1000
	}
	if err := stream.CloseSend(); err != nil {
		return 0, err
	}
	err = stream.RecvMsg(&emptypb.Empty{})
	return rate(n, time.Since(begin)), err
}

func (c *grpcClient) call(ctx context.Context) error {
	return c.conn.Invoke(ctx, "/bench.Echo/Echo", wrapperspb.Bytes(make([]byte, 64)), &wrapperspb.BytesValue{})
}
