package admin

import (
	"encoding/hex"
	"fmt"

	"github.com/barrelp2p/barrel/interfaces/name"
)

type joinRequest struct {
	Node name.Node `json:"node"`
}

func (r *joinRequest) check() error {
	if r.Node.IsZero() {
		return missing("node", "the node to join through, as name@host")
	}
	return nil
}

type messageRequest struct {
	Target  string `json:"target"`
	Payload []byte `json:"payload"`
}

func (r *messageRequest) check() error {
	if r.Target == "" {
		return missing("target", "a service NAME, NAME@NODE or a reference")
	}
	return checkPayload(r.Payload)
}

func (r *Reply) check() error {
	if r.ID == 0 {
		return missing("id", "the id of the delivery that is answered")
	}
	return checkPayload(r.Payload)
}

func checkPayload(payload []byte) error {
	if len(payload) > MaxPayload {
		return &Error{Kind: KindUsage, Text: fmt.Sprintf(
			"payload: %d bytes, at most %d: send it in pieces", len(payload), MaxPayload)}
	}
	return nil
}

type payloadAnswer struct {
	Payload []byte `json:"payload"`
}

type rotateRequest struct {
	What string `json:"what"`
}

func (r *rotateRequest) check() error { return checkWord("what", r.What, "identity", "cert") }

type modeDocument struct {
	Mode string `json:"mode"`
}

func (r *modeDocument) check() error {
	if r.Mode == "" {
		return missing("mode", "the name of a trust plugin, as tofu or strict")
	}
	return nil
}

type pinRequest struct {
	Node      name.Node `json:"node"`
	PublicKey string    `json:"public_key"`
	key       [32]byte
}

func (r *pinRequest) check() error {
	if r.Node.IsZero() {
		return missing("node", "the node that the key belongs to, as name@host")
	}
	raw, err := hex.DecodeString(r.PublicKey)
	if err != nil || len(raw) != len(r.key) {
		return &Error{Kind: KindUsage, Text: fmt.Sprintf(
			"public_key %q: want 64 hex digits", clip(r.PublicKey))}
	}
	copy(r.key[:], raw)
	return nil
}

type registerRequest struct {
	Name name.Service      `json:"name"`
	Meta map[string]string `json:"meta"`
}

func (r *registerRequest) check() error {
	if r.Name.IsZero() {
		return missing("name", "the name of the service")
	}
	return nil
}

type reloadAnswer struct {
	Changes []string `json:"changes"`
}

func missing(field, what string) error {
	return &Error{Kind: KindUsage, Text: fmt.Sprintf("%s: missing: give %s", field, what)}
}

func checkWord(field, word, one, other string) error {
	if word == one || word == other {
		return nil
	}
	return &Error{Kind: KindUsage, Text: fmt.Sprintf("%s: %q is neither %s nor %s", field, clip(word), one, other)}
}
