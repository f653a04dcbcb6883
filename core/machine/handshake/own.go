package handshake

import "fmt"

// checkConfig finds what makes no HELLO by reading the one that would be sent.
func (m *Machine) checkConfig() error {
	if m.cfg.Auth && m.cfg.Sign == nil {
		return fmt.Errorf("%w: auth without a way to sign", ErrConfig)
	}
	if m.cfg.Binding == [32]byte{} {
		return fmt.Errorf("%w: the connection has no channel binding", ErrConfig)
	}
	if n := len(m.cfg.Self.Endpoints); n > MaxEndpoints {
		return fmt.Errorf("%w: %w: %d, at most %d", ErrConfig, ErrEndpoints, n, MaxEndpoints)
	}
	body := m.ownHello(false).encode()
	if len(body) > MaxFrame {
		return fmt.Errorf("%w: %w: names and endpoints make a HELLO of %d bytes, at most %d: advertise fewer endpoints", ErrConfig, ErrOversized, len(body), MaxFrame)
	}
	v, r, bad := openHello(body)
	if bad == nil {
		_, bad = readHello(v, r)
	}
	if bad != nil {
		return fmt.Errorf("%w: %w", ErrConfig, bad)
	}
	return nil
}

// ownHello is what this side says of itself; cookieOnly is whether it lists the peer.
func (m *Machine) ownHello(cookieOnly bool) *hello {
	h := &hello{
		versions: m.speaks, role: m.role, nonce: m.cfg.Nonce, wall: m.wall(),
		epoch: m.cfg.Epoch, Identity: m.cfg.Self,
	}
	if m.cfg.Dialer {
		h.expect = m.cfg.Expect
	}
	if m.cfg.Self.Hidden {
		h.flags |= flagHidden
	}
	if m.cfg.Auth {
		h.flags |= flagAuth
	}
	if len(m.cfg.Cookie) > 0 {
		h.flags |= flagCookie
		if cookieOnly {
			h.flags |= flagCookieOnly
		}
	}
	return h
}
