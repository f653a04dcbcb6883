//go:build !unix

package transportquic

import "net"

// bufferSize cannot be asked here; the system is taken at its word.
func bufferSize(*net.UDPConn) int { return wantBuffer }
