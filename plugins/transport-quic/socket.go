package transportquic

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"syscall"
)

// wantBuffer is the size that quic-go asks of socket buffers, in bytes.
const wantBuffer = 7 << 20

// listenUDP binds the one socket of a node.
func listenUDP(ctx context.Context, listen string, log *slog.Logger) (net.PacketConn, error) {
	var config net.ListenConfig
	socket, err := config.ListenPacket(ctx, "udp", listen)
	if err != nil {
		return nil, listenError(listen, err)
	}
	udp, ok := socket.(*net.UDPConn)
	if !ok {
		return socket, nil
	}
	enlargeBuffers(udp, log)
	return lenient{udp}, nil
}

func listenError(listen string, err error) error {
	next := "correct transport.quic.listen"
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		next = "another program has this UDP port: stop it, or choose another in transport.quic.listen (port 0 takes a free one)"
	case errors.Is(err, syscall.EACCES):
		next = "ports below 1024 need privileges: choose another in transport.quic.listen"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		next = "this machine has no such address: correct transport.quic.listen, or leave the host out to listen on all"
	}
	if inner, ok := errors.AsType[*net.OpError](err); ok {
		err = inner.Err
	}
	return fmt.Errorf("listen %q: %w: %s", listen, err, next)
}

// quietSwitch is how quic-go lets its users say that they look after buffer sizes
// themselves; without it, it prints to the log of the standard library.
const quietSwitch = "QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING"

// enlargeBuffers makes room for bursts, and says once if the system does not allow it.
func enlargeBuffers(udp *net.UDPConn, log *slog.Logger) {
	_ = udp.SetReadBuffer(wantBuffer)  // what came of it is asked below
	_ = udp.SetWriteBuffer(wantBuffer) // likewise
	got := bufferSize(udp)
	if got >= wantBuffer {
		return
	}
	log.Warn("small UDP buffers: bursts may be lost, which costs throughput",
		"bytes", got, "want", wantBuffer, "next", "sysctl -w net.core.rmem_max=7500000 net.core.wmem_max=7500000")
	if _, set := os.LookupEnv(quietSwitch); !set {
		_ = os.Setenv(quietSwitch, "1") // else it is said twice, and past our logger
	}
}
