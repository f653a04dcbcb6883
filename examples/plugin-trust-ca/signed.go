package main

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// maxFile is how large a signed file may be, in bytes.
const maxFile = 1 << 20

// certificate is a key that the authority vouches for. What is signed is a text of
// lines, so that it does not depend on how JSON is written.
type certificate struct {
	Node      name.Node `json:"node"`
	Key       string    `json:"key"` // hex
	NotAfter  time.Time `json:"not_after"`
	Serial    uint64    `json:"serial"`
	Signature []byte    `json:"signature"`
}

func (c certificate) signed() []byte {
	return fmt.Appendf(nil, "barrel trust-ca certificate v1\n%s\n%s\n%s\n%d\n", c.Node, c.Key, c.NotAfter.UTC().Format(time.RFC3339), c.Serial)
}

// revocation is the list of serials that do not count any more.
type revocation struct {
	Serials   []uint64  `json:"serials"`
	Issued    time.Time `json:"issued"`
	Signature []byte    `json:"signature"`
}

func (r revocation) signed() []byte {
	return fmt.Appendf(nil, "barrel trust-ca revocation v1\n%s\n%s\n", r.Issued.UTC().Format(time.RFC3339), strings.Trim(fmt.Sprint(r.Serials), "[]"))
}

var errForged = errors.New("not signed by the authority")

func readCertificate(text []byte, authority ed25519.PublicKey) (certificate, error) {
	var c certificate
	if err := json.Unmarshal(text, &c); err != nil {
		return c, errors.New("cannot be read")
	}
	if !ed25519.Verify(authority, c.signed(), c.Signature) {
		return c, errForged
	}
	return c, nil
}

func readRevocation(text []byte, authority ed25519.PublicKey) (revocation, error) {
	var r revocation
	if err := json.Unmarshal(text, &r); err != nil {
		return r, errors.New("cannot be read")
	}
	if !ed25519.Verify(authority, r.signed(), r.Signature) {
		return r, errForged
	}
	return r, nil
}
