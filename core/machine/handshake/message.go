package handshake

import "encoding/binary"

// message is the type byte of a body.
type message uint8

const (
	msgHello  message = 1
	msgProof  message = 2
	msgAccept message = 3
	msgRefuse message = 4
	msgDone   message = 5
)

// String is the name of the message.
func (k message) String() string {
	names := [...]string{"nothing", "HELLO", "PROOF", "ACCEPT", "REFUSE", "DONE"}
	if int(k) < len(names) {
		return names[k]
	}
	return "unknown message"
}

// messageOf is the type of body, 0 for an empty one.
func messageOf(body []byte) message {
	if len(body) == 0 {
		return 0
	}
	return message(body[0])
}

const (
	proofSignature = 1 << 0
	proofMAC       = 1 << 1
)

// proof is the message of that name; nil is a part that is not there.
type proof struct {
	signature *[64]byte
	mac       *[32]byte
}

func (p proof) encode() []byte {
	b := []byte{byte(msgProof), 0}
	if p.signature != nil {
		b[1] |= proofSignature
		b = append(b, p.signature[:]...)
	}
	if p.mac != nil {
		b[1] |= proofMAC
		b = append(b, p.mac[:]...)
	}
	return b
}

func readProof(body []byte) (p proof, bad *Refusal) {
	r := &reader{rest: body[1:]}
	flags := r.uint8("flags")
	if flags&proofSignature != 0 {
		p.signature = new([64]byte)
		copy(p.signature[:], r.take(64, "signature"))
	}
	if flags&proofMAC != 0 {
		mac := r.bytes32("MAC")
		p.mac = &mac
	}
	switch {
	case r.bad != "":
		return proof{}, malformed("PROOF: cut off in %s", r.bad)
	case flags&^(proofSignature|proofMAC) != 0:
		return proof{}, malformed("PROOF: unknown flags %#x", flags)
	case len(r.rest) > 0:
		return proof{}, malformed("PROOF: %d bytes too many", len(r.rest))
	}
	return p, nil
}

func encodeAccept(digest [32]byte) []byte { return append([]byte{byte(msgAccept)}, digest[:]...) }

func readAccept(body []byte) (digest [32]byte, bad *Refusal) {
	if len(body) != 1+len(digest) {
		return digest, malformed("ACCEPT: %d bytes, want %d", len(body), 1+len(digest))
	}
	return [32]byte(body[1:]), nil
}

func encodeDone() []byte { return []byte{byte(msgDone)} }

func readDone(body []byte) *Refusal {
	if len(body) != 1 {
		return malformed("DONE: %d bytes, want 1", len(body))
	}
	return nil
}

func encodeRefuse(code Code, text string) []byte {
	b := binary.BigEndian.AppendUint16([]byte{byte(msgRefuse)}, uint16(code))
	return append(b, printable(text)...)
}

// readRefuse is what the peer refused for; the error is about the message itself.
func readRefuse(body []byte) (told, bad *Refusal) {
	r := &reader{rest: body[1:]}
	code := Code(r.uint16("code"))
	switch {
	case r.bad != "" || code == CodeNone:
		return nil, malformed("REFUSE: no code")
	case len(r.rest) > MaxText:
		return nil, malformed("REFUSE: text of %d bytes, at most %d", len(r.rest), MaxText)
	}
	return &Refusal{Remote: true, Code: code, Text: printable(string(r.rest))}, nil
}
