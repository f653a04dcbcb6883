package transportquic

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

const (
	// backdate forgives clocks that are behind.
	backdate = 5 * time.Minute
	// ahead is how long before its end a certificate is renewed or complained about.
	ahead = 30 * 24 * time.Hour
	day   = 24 * time.Hour
)

// makePair makes a self-signed certificate (X.509 v3, ECDSA P-256) and its key, both
// as PEM.
func makePair(node name.Node, days int, now time.Time) (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("making a key: %w", err)
	}
	template := certTemplate(node, days, now)
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return nil, nil, fmt.Errorf("making a certificate: %w", err)
	}
	secret, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		return nil, nil, fmt.Errorf("encoding a key: %w", err)
	}
	cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	key = pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret})
	return cert, key, nil
}

func certTemplate(node name.Node, days int, now time.Time) *x509.Certificate {
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: node.String(), Organization: []string{"barrel"}},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(time.Duration(days) * day),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	if ip := net.ParseIP(node.Host()); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{node.Host()}
	}
	return template
}

// serial is a random positive number of 127 bits (RFC 5280 asks for at most 20 bytes,
// the CA/Browser rules for 64 random bits).
func serial() *big.Int {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b[:])
}

// parsePair is a certificate and its key, checked to belong together.
func parsePair(cert, key []byte) (*tls.Certificate, error) {
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	if pair.Leaf == nil {
		if pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
			return nil, err
		}
	}
	return &pair, nil
}

// due tells whether a certificate is so near its end that it should be replaced: in
// the last 30 days, or in the last third of a short life.
func due(leaf *x509.Certificate, now time.Time) bool {
	return now.After(leaf.NotAfter.Add(-min(ahead, leaf.NotAfter.Sub(leaf.NotBefore)/3)))
}
