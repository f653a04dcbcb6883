package handshake

import (
	"bytes"
	"fmt"
	"slices"
	"time"
)

// state is what the machine waits for.
type state uint8

const (
	fresh     state = iota // Start
	hearing                // HELLO
	proving                // PROOF
	accepting              // ACCEPT
	deciding               // Verdict
	closing                // DONE, the dialer only
	over
)

// expects is the one message that is welcome in a state.
func (s state) expects() message {
	switch s {
	case hearing:
		return msgHello
	case proving:
		return msgProof
	case accepting:
		return msgAccept
	case closing:
		return msgDone
	}
	return 0
}

// Machine is one side of one handshake. Not safe for concurrent use.
type Machine struct {
	cfg        Config
	speaks     versions
	role       role
	start      time.Duration
	now        time.Duration
	state      state
	mine       *hello // from when it is sent on
	theirs     *hello // from when it could be read on
	proof      Proof
	transcript transcript
}

// New makes one side of a handshake. now is the host's monotonic time, from any
// origin; the deadline is now plus cfg.Timeout.
func New(cfg Config, now time.Duration) *Machine {
	cfg.Cookie = bytes.Clone(cfg.Cookie)
	cfg.Self.Endpoints = slices.Clone(cfg.Self.Endpoints)
	m := &Machine{cfg: cfg, speaks: versions{MinVersion, MaxVersion}, role: acceptor, start: now, now: now}
	m.transcript.binding = cfg.Binding
	if cfg.Dialer {
		m.role = dialer
	} else {
		m.cfg.Epoch = 0
	}
	return m
}

// Claimed is who the peer says it is, as soon as it has said so; until Effects.Done
// it is nothing but that.
func (m *Machine) Claimed() (Peer, bool) {
	if m.theirs == nil {
		return Peer{}, false
	}
	return m.peer(), true
}

// Step takes one input at the time now, which never goes back, and overwrites out. After
// Done or Failed it does nothing.
func (m *Machine) Step(now time.Duration, in Input, out *Effects) {
	*out = Effects{Send: out.Send[:0]}
	if m.state == over {
		return
	}
	m.now = now
	bad := m.expired()
	if bad == nil {
		bad = m.take(in, out)
	}
	if bad != nil {
		m.fail(bad, out)
	}
	if m.state != over {
		out.Deadline = m.deadline()
	}
}

func (m *Machine) deadline() time.Duration { return m.start + m.cfg.Timeout }

func (m *Machine) expired() *Refusal {
	if m.now < m.deadline() {
		return nil
	}
	return refusal(CodeTimeout, "timeout: %s passed on %s while waiting for %s: see whether %s is overloaded or the network loses packets",
		m.cfg.Timeout, m.self(), m.awaited(), m.other())
}

// awaited is what the machine waits for, in words.
func (m *Machine) awaited() string {
	switch m.state {
	case fresh:
		return "the stream"
	case deciding:
		return "the answer of trust"
	}
	return fmt.Sprintf("%s of %s", m.state.expects(), m.other())
}

func (m *Machine) take(in Input, out *Effects) *Refusal {
	switch in.Kind {
	case Start:
		return m.begin(out)
	case Frame:
		return m.frame(in.Frame, out)
	case Verdict:
		return m.verdict(in.Verdict, out)
	case Broken:
		return m.broken(in.Err)
	}
	return nil
}

func (m *Machine) frame(body []byte, out *Effects) *Refusal {
	kind := messageOf(body)
	switch {
	case len(body) > MaxFrame:
		return oversized(len(body))
	case kind == msgRefuse && m.state != fresh:
		return m.refused(body)
	case kind == 0 || kind != m.state.expects():
		return m.surprise(kind)
	}
	switch kind {
	case msgHello:
		return m.onHello(body, out)
	case msgProof:
		return m.onProof(body, out)
	case msgAccept:
		return m.onAccept(body, out)
	}
	return m.onDone(body, out)
}

// surprise is the refusal of a message that does not belong here.
func (m *Machine) surprise(kind message) *Refusal {
	switch {
	case m.state == hearing && (kind == 0 || kind > msgDone):
		return notBarrel()
	case kind == 0:
		return malformed("message of %s: empty", m.other())
	case kind > msgDone:
		return malformed("message of %s: unknown type %d", m.other(), kind)
	}
	return refusal(CodeUnexpected, "%s sent %s while %s was waiting for %s", m.other(), kind, m.self(), m.awaited())
}

func (m *Machine) refused(body []byte) *Refusal {
	told, bad := readRefuse(body)
	if bad != nil {
		return bad
	}
	if told.Code == CodeWrongNode && m.cfg.Dialer {
		told.cause = &WrongNodeError{Want: m.cfg.Expect}
	}
	return told
}

func (m *Machine) fail(bad *Refusal, out *Effects) {
	m.state = over
	out.Send, out.Ask, out.Done, out.Failed = out.Send[:0], nil, nil, bad
	if !bad.Remote && bad.Code != CodeNone {
		out.Send = append(out.Send, encodeRefuse(bad.Code, bad.told()))
	}
}

func (m *Machine) finish(out *Effects) {
	m.state = over
	epoch := m.mine.epoch
	if !m.cfg.Dialer {
		epoch = m.theirs.epoch
	}
	out.Done = &Result{Peer: m.peer().Identity, Proof: m.proof, Version: m.transcript.version, Epoch: epoch}
}

func (m *Machine) peer() Peer {
	id := m.theirs.Identity
	id.Endpoints = slices.Clone(id.Endpoints)
	return Peer{id}
}

// wall is the own wall clock now, in ms since 1970.
func (m *Machine) wall() int64 { return m.cfg.Wall.Add(m.now - m.start).UnixMilli() }

func (m *Machine) self() string { return m.cfg.Self.Node.String() }

// other is what texts call the peer.
func (m *Machine) other() string {
	switch {
	case m.theirs != nil:
		return m.theirs.Node.String()
	case !m.cfg.Expect.IsZero():
		return m.cfg.Expect.String()
	}
	return m.role.other().String()
}
