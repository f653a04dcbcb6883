package handshake

import (
	"errors"
	"fmt"

	"github.com/barrelp2p/barrel/interfaces/trust"
)

// begin checks the own configuration and lets the dialer speak first.
func (m *Machine) begin(out *Effects) *Refusal {
	if m.state != fresh {
		return nil
	}
	if err := m.checkConfig(); err != nil {
		return &Refusal{Text: printable(err.Error()), cause: err}
	}
	m.state = hearing
	if m.cfg.Dialer {
		m.greet(m.cfg.CookieOnly != nil && !m.cfg.Expect.IsZero() && m.cfg.CookieOnly(m.cfg.Expect), out)
	}
	return nil
}

func (m *Machine) greet(cookieOnly bool, out *Effects) {
	m.mine = m.ownHello(cookieOnly)
	body := m.mine.encode()
	m.transcript.keep(m.role, body)
	out.Send = append(out.Send, body)
}

func (m *Machine) onHello(body []byte, out *Effects) *Refusal {
	v, r, bad := openHello(body)
	if bad != nil {
		return bad
	}
	if bad := m.checkVersion(v); bad != nil {
		return bad
	}
	h, bad := readHello(v, r)
	if bad != nil {
		return bad
	}
	m.theirs = h
	if bad := m.check(h); bad != nil {
		return bad
	}
	m.transcript.keep(h.role, body)
	if !m.cfg.Dialer {
		m.greet(m.cfg.CookieOnly != nil && m.cfg.CookieOnly(h.Node), out)
	}
	m.proof = m.agreed()
	m.state = proving
	if m.cfg.Dialer {
		out.Send = append(out.Send, m.ownProof().encode())
	}
	return nil
}

// agreed is the proof that follows from the two HELLOs, the same on both sides.
func (m *Machine) agreed() Proof {
	switch {
	case !m.cfg.Auth:
		return None
	case m.mine.has(flagCookieOnly) && m.theirs.has(flagCookieOnly):
		return CookieOnly
	}
	return Signed
}

func (m *Machine) ownProof() (p proof) {
	if m.proof == Signed {
		signature := m.cfg.Sign(m.transcript.message(contextSignature, m.role))
		p.signature = &signature
	}
	if len(m.cfg.Cookie) > 0 {
		mac := m.transcript.mac(m.role, m.cfg.Cookie)
		p.mac = &mac
	}
	return p
}

func (m *Machine) onProof(body []byte, out *Effects) *Refusal {
	p, bad := readProof(body)
	if bad == nil {
		bad = m.checkSignature(p.signature)
	}
	if bad == nil {
		bad = m.checkMAC(p.mac)
	}
	if bad != nil {
		return bad
	}
	if m.cfg.Dialer {
		m.state = accepting
		return nil
	}
	return m.decide(out)
}

func (m *Machine) checkSignature(signature *[64]byte) *Refusal {
	switch wanted := m.proof == Signed; {
	case !wanted && signature == nil:
		return nil
	case !wanted:
		return malformed("PROOF: %s signed where nobody was to sign", m.other())
	case signature == nil:
		return refusal(CodeProof, "proof: %s did not sign", m.other())
	case m.transcript.verify(m.role.other(), m.theirs.Key, signature):
		return nil
	}
	return refusal(CodeProof, "proof: the signature of %s does not hold for this connection: somebody may sit between %s and %s, or a proxy that ends TLS; connect them directly",
		m.other(), m.self(), m.other())
}

func (m *Machine) checkMAC(mac *[32]byte) *Refusal {
	switch wanted := len(m.cfg.Cookie) > 0; {
	case !wanted && mac == nil:
		return nil
	case !wanted:
		return malformed("PROOF: %s proved a cookie where none is set", m.other())
	case mac == nil:
		return refusal(CodeCookie, "cookie: %s did not prove it: set the same auth.cookie on both", m.other())
	case same(*mac, m.transcript.mac(m.role.other(), m.cfg.Cookie)):
		return nil
	}
	text := "cookie: that of %s is not that of %s: set the same auth.cookie on both"
	if m.proof != Signed {
		text += "; if it is the same, somebody may sit between them"
	}
	return refusal(CodeCookie, text, m.other(), m.self())
}

// decide asks trust about a key that the peer has proved to hold; where there is none
// to ask about, it goes on as if trust had accepted.
func (m *Machine) decide(out *Effects) *Refusal {
	m.state = deciding
	if m.proof != Signed {
		return m.verdict(nil, out)
	}
	p := m.peer()
	out.Ask = &p
	return nil
}

// verdict takes the answer of trust; one that was not asked for changes nothing.
func (m *Machine) verdict(err error, out *Effects) *Refusal {
	switch {
	case m.state != deciding:
		return nil
	case errors.Is(err, trust.ErrKeyMismatch):
		return refusal(CodeKeyMismatch, "trust: %v", err).because(err)
	case errors.Is(err, trust.ErrUntrusted):
		return refusal(CodeUntrusted, "trust: %v", err).because(err)
	case err != nil:
		return refusal(CodeUnavailable, "trust: %s cannot decide about %s: %v", m.self(), m.other(), err).because(err)
	}
	accept := encodeAccept(m.transcript.digest(m.role))
	if m.cfg.Dialer {
		m.state = closing
		out.Send = append(out.Send, accept)
	} else {
		m.state = accepting
		out.Send = append(out.Send, m.ownProof().encode(), accept)
	}
	return nil
}

// told is what the peer gets to read: an error that is not about the peer may hold
// what is none of its business.
func (r *Refusal) told() string {
	if r.Code == CodeUnavailable {
		return "trust: the node cannot decide about its peer now: see its log, and try again"
	}
	return r.Text
}

func (m *Machine) onAccept(body []byte, out *Effects) *Refusal {
	digest, bad := readAccept(body)
	switch {
	case bad != nil:
		return bad
	case !same(digest, m.transcript.digest(m.role.other())):
		return refusal(CodeProof, "proof: %s and %s saw different handshakes: somebody may sit between them, or a proxy that ends TLS; connect them directly",
			m.self(), m.other())
	case m.cfg.Dialer:
		return m.decide(out)
	}
	out.Send = append(out.Send, encodeDone())
	m.finish(out)
	return nil
}

func (m *Machine) onDone(body []byte, out *Effects) *Refusal {
	if bad := readDone(body); bad != nil {
		return bad
	}
	m.finish(out)
	return nil
}

// broken ends the handshake because nothing can be read any more. A frame that broke a
// rule is answered; a stream that ended cannot be.
func (m *Machine) broken(err error) *Refusal {
	var bad *Refusal
	if errors.As(err, &bad) {
		return bad
	}
	if err == nil {
		err = ErrBroken
	}
	text := fmt.Sprintf("stream broken while %s was waiting for %s: %v", m.self(), m.awaited(), err)
	return &Refusal{Text: printable(text), cause: fmt.Errorf("%w: %w", ErrBroken, err)}
}
