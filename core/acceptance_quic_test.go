package core_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/barrelp2p/barrel/core"
)

// endpoint is a user of QUIC who is no node: a socket, a certificate, and whatever TLS
// configuration the test wants.
type endpoint struct {
	t    *testing.T
	quic *quic.Transport
	tls  *tls.Config
}

// newEndpoint opens a socket at an address of this machine, as 127.0.0.2.
func newEndpoint(t *testing.T, host string) *endpoint {
	t.Helper()
	var listen net.ListenConfig
	socket, err := listen.ListenPacket(t.Context(), "udp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	e := &endpoint{t: t, quic: &quic.Transport{Conn: socket}, tls: nodeTLS(t)}
	t.Cleanup(func() { _, _ = e.quic.Close(), socket.Close() })
	return e
}

// nodeTLS is the TLS of a node, with a certificate of its own.
func nodeTLS(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{"barrel/1"}, ClientAuth: tls.RequireAnyClientCert,
		InsecureSkipVerify: true, SessionTicketsDisabled: true,
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
	}
}

func quicConfig() *quic.Config { return &quic.Config{EnableDatagrams: true} }

// addressOf is where a node listens.
func addressOf(t *testing.T, n *core.Node) *net.UDPAddr {
	t.Helper()
	addr, err := net.ResolveUDPAddr("udp", n.Addresses()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// try dials a node as far as QUIC goes.
func (e *endpoint) try(to *core.Node) (*quic.Conn, error) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), patience)
	defer cancel()
	return e.quic.Dial(ctx, addressOf(e.t, to), e.tls, quicConfig())
}

// dial is try for those who must be let in so far.
func (e *endpoint) dial(to *core.Node) *quic.Conn {
	e.t.Helper()
	qc, err := e.try(to)
	if err != nil {
		e.t.Fatal(err)
	}
	return qc
}

// stream opens a stream and writes to it.
func (e *endpoint) stream(qc *quic.Conn, first []byte) *quic.Stream {
	e.t.Helper()
	s, err := qc.OpenStreamSync(e.t.Context())
	if err != nil {
		e.t.Fatal(err)
	}
	if err := s.SetDeadline(time.Now().Add(patience)); err != nil {
		e.t.Fatal(err)
	}
	if _, err := s.Write(first); err != nil {
		e.t.Fatal(err)
	}
	return s
}

// thrownOut waits until the other side has closed the connection, and says how.
func thrownOut(t *testing.T, qc *quic.Conn) error {
	t.Helper()
	select {
	case <-qc.Context().Done():
	case <-time.After(patience):
		t.Fatalf("still connected after %v", patience)
	}
	return context.Cause(qc.Context())
}
