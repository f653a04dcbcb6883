package core_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"testing"
)

// firstPacket makes first packets of QUIC connections (Initial, RFC 9000 section 17.2.2)
// that nobody means to go on with: one ClientHello, sealed anew for each connection id.
type firstPacket struct {
	source [8]byte
	frames []byte
}

func newFirstPacket(t *testing.T) *firstPacket {
	t.Helper()
	p := &firstPacket{}
	_, _ = rand.Read(p.source[:]) // never fails
	config := nodeTLS(t)
	config.CurvePreferences = []tls.CurveID{tls.X25519} // fits into one packet
	config.ServerName = "node"
	client := tls.QUICClient(&tls.QUICConfig{TLSConfig: config})
	defer func() { _ = client.Close() }()
	client.SetTransportParameters(append([]byte{0x0f, 8}, p.source[:]...)) // initial_source_connection_id
	if err := client.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for {
		e := client.NextEvent()
		if e.Kind == tls.QUICNoEvent {
			break
		}
		if e.Kind == tls.QUICWriteData {
			p.frames = append(p.frames, e.Data...)
		}
	}
	head := binary.BigEndian.AppendUint16([]byte{0x06, 0}, 0x4000|uint16(len(p.frames))) // CRYPTO, offset 0
	p.frames = append(head, p.frames...)
	return p
}

const (
	initialSize   = 1200
	numberSize    = 4
	initialHeader = 1 + 4 + 1 + 8 + 1 + 8 + 1 + 2 // up to the packet number
)

// to is a packet that begins a connection with a random id (RFC 9001 section 5).
func (p *firstPacket) sealed(t *testing.T) []byte {
	t.Helper()
	var id [8]byte
	_, _ = rand.Read(id[:])
	head := append([]byte{0xc0 | numberSize - 1, 0, 0, 0, 1, 8}, id[:]...)
	head = append(append(head, 8), p.source[:]...)
	head = append(head, 0) // no token
	head = binary.BigEndian.AppendUint16(head, 0x4000|(initialSize-initialHeader))
	head = append(head, 0, 0, 0, 0) // packet number 0
	plain := make([]byte, initialSize-len(head)-16)
	copy(plain, p.frames) // and PADDING, which is zeros

	salt := []byte("\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a")
	secret, err := hkdf.Extract(sha256.New, id[:], salt)
	if err != nil {
		t.Fatal(err)
	}
	secret = label(t, secret, "client in", 32)
	gcm, err := cipher.NewGCM(block(t, label(t, secret, "quic key", 16)))
	if err != nil {
		t.Fatal(err)
	}
	packet := gcm.Seal(head, label(t, secret, "quic iv", 12), plain, head)
	var mask [16]byte
	block(t, label(t, secret, "quic hp", 16)).Encrypt(mask[:], packet[initialHeader+numberSize:][:16])
	packet[0] ^= mask[0] & 0x0f
	for i := range numberSize {
		packet[initialHeader+i] ^= mask[1+i]
	}
	return packet
}

// label is HKDF-Expand-Label (RFC 8446 section 7.1).
func label(t *testing.T, secret []byte, what string, size int) []byte {
	t.Helper()
	what = "tls13 " + what
	info := append([]byte{0, byte(size), byte(len(what))}, what...)
	out, err := hkdf.Expand(sha256.New, secret, string(append(info, 0)), size)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func block(t *testing.T, key []byte) cipher.Block {
	t.Helper()
	b, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
