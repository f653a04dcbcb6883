package handshake

import (
	"fmt"
	"time"
)

// check compares the peer's HELLO with what this side is. The order decides which
// reason is told when there are several: first that something is badly wrong with the
// connection, then what an operator can set right.
func (m *Machine) check(h *hello) *Refusal {
	checks := [...]func(*hello) *Refusal{
		m.checkReflection, m.checkCluster, m.checkSelf, m.checkDialed,
		m.checkAuthMode, m.checkCookie, m.checkClock,
	}
	for _, check := range checks {
		if bad := check(h); bad != nil {
			return bad
		}
	}
	return nil
}

func (m *Machine) checkVersion(v versions) *Refusal {
	highest, ok := m.speaks.highest(v)
	if ok {
		m.transcript.version = highest
		return nil
	}
	older := m.self()
	if v.high < m.speaks.low {
		older = m.other()
	}
	return refusal(CodeVersion, "version: %s speaks %d to %d, %s speaks %d to %d: upgrade %s",
		m.self(), m.speaks.low, m.speaks.high, m.other(), v.low, v.high, older)
}

func (m *Machine) checkReflection(h *hello) *Refusal {
	if h.role == m.role.other() && h.nonce != m.cfg.Nonce {
		return nil
	}
	return refusal(CodeReflection, "HELLO: %s got a message of its own side back: something between the nodes, or at the address, sends back what it gets", m.self())
}

func (m *Machine) checkCluster(h *hello) *Refusal {
	if h.Cluster == m.cfg.Self.Cluster {
		return nil
	}
	return refusal(CodeCluster, "cluster: %s is in %s, %s is in %s: set node.cluster the same on both if they belong together",
		m.self(), quote(m.cfg.Self.Cluster), m.other(), quote(h.Cluster))
}

func (m *Machine) checkSelf(h *hello) *Refusal {
	sameName, sameKey := h.Node == m.cfg.Self.Node, h.Key == m.cfg.Self.Key
	switch {
	case sameName && sameKey:
		return refusal(CodeSelf, "%s dialed itself: take its own address out of the entries of other nodes", m.self())
	case sameName:
		return refusal(CodeSelf, "two nodes with different keys are called %s: give one of them another node.name", m.self())
	case sameKey:
		return refusal(CodeSelf, "%s and %s have the same key: one data folder is a copy; rotate the identity key of one of them", m.self(), m.other())
	}
	return nil
}

func (m *Machine) checkDialed(h *hello) *Refusal {
	want, got := m.cfg.Expect, h.Node
	if !m.cfg.Dialer {
		want, got = h.expect, m.cfg.Self.Node
	}
	if want.IsZero() || want == got {
		return nil
	}
	return refusal(CodeWrongNode, "address of %s: %s is there: correct the entry of %s in discovery", want, got, want).
		because(&WrongNodeError{Want: want, Got: got})
}

func (m *Machine) checkAuthMode(h *hello) *Refusal {
	if h.has(flagAuth) == m.cfg.Auth {
		return nil
	}
	on, off := m.self(), m.other()
	if !m.cfg.Auth {
		on, off = off, on
	}
	return refusal(CodeAuthMode, "auth: enabled on %s, disabled on %s: set auth.enabled the same on both", on, off)
}

func (m *Machine) checkCookie(h *hello) *Refusal {
	mine := len(m.cfg.Cookie) > 0
	if h.has(flagCookie) == mine {
		return nil
	}
	with, without := m.self(), m.other()
	if !mine {
		with, without = without, with
	}
	return refusal(CodeCookie, "cookie: %s has one, %s has none: set the same auth.cookie on both", with, without)
}

func (m *Machine) checkClock(h *hello) *Refusal {
	ahead, behind := m.other(), m.self()
	off := h.wall - m.wall()
	if off < 0 {
		ahead, behind, off = behind, ahead, -off
	}
	if off <= m.cfg.Skew.Milliseconds() {
		return nil
	}
	return refusal(CodeSkew, "clock: %s is %s ahead of %s, at most %s is allowed: set the clocks, or raise auth.clock_skew",
		ahead, far(off), behind, m.cfg.Skew)
}

// far is a span of ms for people; spans of years do not fit a time.Duration.
func far(ms int64) string {
	const day = 24 * 60 * 60 * 1000
	if ms >= 2*day {
		return fmt.Sprintf("%d days", ms/day)
	}
	return (time.Duration(ms) * time.Millisecond).String()
}
