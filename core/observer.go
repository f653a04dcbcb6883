package core

import (
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/barrelp2p/barrel/core/block/link"
	"github.com/barrelp2p/barrel/core/machine/handshake"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// observer passes on what happens on links. It is called with a lock of the link block
// held, so it only hands over.
type observer struct {
	life *life
	// Strangers decide how often the one refuses; they must not hide the other.
	accepted, dialed refusals
}

// refusals limits how often refusals are told; the rest is counted.
type refusals struct {
	side       string
	limit      *rate.Limiter
	suppressed atomic.Uint64
}

func newObserver(l *life) *observer {
	return &observer{
		life:     l,
		accepted: refusals{side: "accepted", limit: newLimit()},
		dialed:   refusals{side: "dialed", limit: newLimit()},
	}
}

// newLimit lets through what a reader can follow.
func newLimit() *rate.Limiter { return rate.NewLimiter(rate.Every(time.Second), 20) }

// isMember reports whether a peer takes part in the cluster. One that only the cookie
// let in, or that is hidden, may send and call, and is nobody's neighbour.
func isMember(p link.Peer) bool { return p.Proof != handshake.CookieOnly && !p.Outside }

func asPeer(p link.Peer) membership.Peer {
	return membership.Peer{Node: p.Node, Key: p.Key, Incarnation: p.Incarnation, Endpoints: p.Endpoints, Remote: p.Remote}
}

// Up tells whoever listens, and then membership, whose own events follow from it.
func (o *observer) Up(p link.Peer) {
	o.life.meters.Opened()
	o.life.linkedLives.up(p)
	o.life.publish("link", "up", p.Node, "", map[string]string{"address": p.Remote.String(), "proof": p.Proof.String()})
	if isMember(p) {
		o.life.membership.Input(membership.Input{Kind: membership.LinkUp, Peer: asPeer(p)})
	}
	o.life.processes.PeerUp(p.Node, p.Hidden || p.Proof == handshake.CookieOnly)
}

// Moved tells membership: who is told where it is seen has to hear of it again.
func (o *observer) Moved(p link.Peer) {
	if isMember(p) {
		o.life.membership.Input(membership.Input{Kind: membership.LinkMoved, Peer: asPeer(p)})
	}
}

// Down tells whoever listens, then membership, and fails calls that wait for the peer.
func (o *observer) Down(p link.Peer, code transport.CloseCode, text string) {
	o.life.linkedLives.down(p)
	o.life.publish("link", "down", p.Node, text, map[string]string{"code": code.String()})
	if isMember(p) {
		o.life.membership.Input(membership.Input{Kind: membership.LinkDown, Peer: asPeer(p), Code: code, Text: text})
	}
	o.life.processes.PeerDown(p.Node, text)
}

// Refused tells whoever listens and the log. A stranger must not be able to fill
// either, so both are limited; what was left out is counted.
func (o *observer) Refused(p link.Peer, dialed bool, err error) {
	o.life.meters.Refused(dialed)
	r := &o.accepted
	if dialed {
		r = &o.dialed
	}
	if !r.limit.Allow() {
		r.suppressed.Add(1)
		return
	}
	o.life.log.Warn("handshake refused", "peer", p.Node, "address", p.Remote, "direction", r.side,
		"error", err, "suppressed", r.suppressed.Swap(0))
	o.life.publish("trust", "refused", p.Node, err.Error(), map[string]string{"address": p.Remote.String(), "direction": r.side})
}
