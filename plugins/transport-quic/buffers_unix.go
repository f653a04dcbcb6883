//go:build unix

package transportquic

import (
	"net"
	"syscall"
)

// bufferSize is the smaller of the two buffers of a socket, in bytes as the kernel
// counts them, which is twice the usable size on Linux.
func bufferSize(udp *net.UDPConn) int {
	raw, err := udp.SyscallConn()
	if err != nil {
		return 0
	}
	var receive, send int
	var err1, err2 error
	err = raw.Control(func(fd uintptr) {
		receive, err1 = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF)
		send, err2 = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF)
	})
	if err != nil || err1 != nil || err2 != nil {
		return 0
	}
	return min(receive, send)
}
