package handshake

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
)

// One context for each use, so that a value made for one never serves another.
const (
	contextSignature = "barrel handshake v1"
	contextMAC       = "barrel cookie v1"
	contextAccept    = "barrel accept v1"
)

// transcript is what both ends hold of one handshake.
type transcript struct {
	dialer, acceptor [32]byte // SHA-256 of the HELLO bodies, as they were on the wire
	version          uint16
	binding          [32]byte
}

func (t *transcript) keep(from role, body []byte) {
	if from == dialer {
		t.dialer = sha256.Sum256(body)
	} else {
		t.acceptor = sha256.Sum256(body)
	}
}

// message is the transcript for one use and sender. After the context, which ends with
// its zero byte, every part has a fixed length.
func (t *transcript) message(context string, sender role) []byte {
	b := append([]byte(context), 0, byte(sender))
	b = binary.BigEndian.AppendUint16(b, t.version)
	b = append(b, t.dialer[:]...)
	b = append(b, t.acceptor[:]...)
	return append(b, t.binding[:]...)
}

func (t *transcript) verify(sender role, key [32]byte, signature *[64]byte) bool {
	return ed25519.Verify(key[:], t.message(contextSignature, sender), signature[:])
}

func (t *transcript) mac(sender role, cookie []byte) (out [32]byte) {
	h := hmac.New(sha256.New, cookie)
	h.Write(t.message(contextMAC, sender))
	h.Sum(out[:0])
	return out
}

func (t *transcript) digest(sender role) [32]byte {
	return sha256.Sum256(t.message(contextAccept, sender))
}

func same(a, b [32]byte) bool { return subtle.ConstantTimeCompare(a[:], b[:]) == 1 }
