package transportquic

import (
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/barrelp2p/barrel/interfaces/transport"
)

// protocol is what nodes agree on in TLS (ALPN), so that other users of QUIC are
// turned away before anything else.
const protocol = "barrel/1"

const (
	// handshakeIdle is for how long a dialed address may be silent during the handshake;
	// the whole may take twice as long.
	handshakeIdle = 2 * time.Second
	// floorIdle is the least idle time of the safety net: quic-go takes a smaller value
	// of the peer for this one, so that smaller ones would differ between the two ends.
	floorIdle = 5 * time.Second

	// Windows: what a peer may send that nobody has read. The one of a stream grows while
	// it is read fast. The one of the connection has room for as many full streams as the
	// contract wants, and for the others beside them; it is what a peer can cost at most.
	// On a connection that is not authenticated yet nothing but the first stream is read,
	// so that it can cost no more than the first windows of all streams: 24 MiB.
	streamWindow     = 128 << 10
	streamWindowMax  = 512 << 10
	reserveWindow    = 16 << 20
	connWindow       = transport.UnreadStreams*streamWindowMax + reserveWindow
	maxIncomingBidi  = transport.UnreadStreams/2 + 64
	noUnidirectional = -1
	maxPeerChain     = 4 // certificates; one is usual
)

// quicConfig is the same for both sides. Silence is judged above, by Liveness; the
// idle timeout here is the net below it, and the keep-alive sends nothing as long as
// heartbeats flow.
func quicConfig(s *Settings) *quic.Config {
	idle := max(floorIdle, 2*s.IdleTimeout)
	return &quic.Config{
		HandshakeIdleTimeout:           handshakeIdle,
		MaxIdleTimeout:                 idle,
		KeepAlivePeriod:                idle / 3,
		InitialStreamReceiveWindow:     streamWindow,
		MaxStreamReceiveWindow:         streamWindowMax,
		InitialConnectionReceiveWindow: connWindow,
		MaxConnectionReceiveWindow:     connWindow,
		MaxIncomingStreams:             maxIncomingBidi,
		MaxIncomingUniStreams:          noUnidirectional,
		EnableDatagrams:                true,
	}
}

// tlsConfig is TLS 1.3 with a certificate on both sides. Chains are not verified: who
// the peer is, is proved by the handshake above over the binding of this connection,
// and a certificate here says nothing. There is no resumption and no early data.
func tlsConfig(certs *certStore) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             []string{protocol},
		ClientAuth:             tls.RequireAnyClientCert,
		InsecureSkipVerify:     true, //nolint:gosec // see above
		SessionTicketsDisabled: true,
		VerifyConnection:       plausible,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return certs.current.Load(), nil
		},
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return certs.current.Load(), nil
		},
	}
}

// plausible sees that the other side is a node as far as TLS can tell.
func plausible(state tls.ConnectionState) error {
	if state.NegotiatedProtocol != protocol {
		return fmt.Errorf("peer speaks %q, not %q", state.NegotiatedProtocol, protocol)
	}
	if n := len(state.PeerCertificates); n == 0 || n > maxPeerChain {
		return fmt.Errorf("peer shows %d certificates, want 1 to %d", n, maxPeerChain)
	}
	if state.DidResume {
		return errors.New("peer resumed a session, which this side never offers")
	}
	return nil
}
