package transportquic

import (
	"errors"
	"net"
	"slices"
	"syscall"
)

// lenient is a socket on which a packet that has no way out for now is lost, as it would
// be further on. QUIC gives a connection up at the first packet that the system does not
// send; but a machine that changes its address has none for a moment, and connections
// that were accepted send from the address that the peer dialed, which the machine may
// not have any more, until they are made anew. Whoever dials still learns at once that
// there is no way: only a handshake uses packets with a long header (RFC 9000 section
// 17.2).
type lenient struct{ *net.UDPConn }

// longHeader is the bit in the first byte of a packet.
const longHeader = 0x80

// WriteMsgUDP sends a packet, or loses it.
func (s lenient) WriteMsgUDP(b, oob []byte, to *net.UDPAddr) (n, oobn int, err error) {
	n, oobn, err = s.UDPConn.WriteMsgUDP(b, oob, to)
	if err != nil && len(b) > 0 && b[0]&longHeader == 0 && noWayOut(err) {
		return len(b), len(oob), nil
	}
	return n, oobn, err
}

// noWayOut: the machine has no route there, or not the address that the packet is from.
func noWayOut(err error) bool {
	return slices.ContainsFunc([]syscall.Errno{
		syscall.EINVAL, syscall.EADDRNOTAVAIL, syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ENETDOWN,
	}, func(no syscall.Errno) bool { return errors.Is(err, no) })
}
