package membershiphyparview

import (
	"github.com/barrelp2p/barrel/core/machine/hyparview"
	"github.com/barrelp2p/barrel/core/machine/liveness"
	"github.com/barrelp2p/barrel/core/machine/member"
	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// The book as each machine's codec wants it.
type (
	viewBook struct{ *book }
	lifeBook struct{ *book }
)

var (
	_ hyparview.Book = viewBook{}
	_ liveness.Names = lifeBook{}
)

// Record is a peer's sealed record. Who left is nobody to hand on.
func (b viewBook) Record(p overlay.Peer) []byte {
	if e := b.node(p); e != nil && !e.record.Left {
		return e.sealed
	}
	return nil
}

// Peer is whose a sealed record is.
func (b viewBook) Peer(sealed []byte) (overlay.Peer, bool) {
	record, sig, ok := member.Split(sealed)
	if !ok {
		return overlay.Nobody, false
	}
	if e := b.superseded(record); e != nil {
		return e.peer, !e.record.Left
	}
	e, r, ok := b.learn(record, sig)
	if !ok || r.Left {
		return overlay.Nobody, false
	}
	return e.peer, true
}

// ID is the number of a peer that is the same everywhere.
func (b lifeBook) ID(p overlay.Peer) uint64 {
	if e := b.node(p); e != nil {
		return e.id
	}
	return 0
}

// Peer is whom such a number stands for.
func (b lifeBook) Peer(id uint64) overlay.Peer {
	if e := b.byID[id]; e != nil {
		return e.peer
	}
	return overlay.Nobody
}

// Prove checks that the member of an entry signed exactly what the entry says.
func (b lifeBook) Prove(id uint64, e *liveness.Entry) {
	b.spurned = 0
	who, r, ok := b.learn(e.Proof.Record, e.Proof.Sig)
	if !ok && b.spurned == id && id != 0 {
		e.ID, e.Refused = id, true
	}
	if !ok || who.id != id || r.Incarnation != e.Inc || r.Ref != e.Ref || r.Left != (e.State == liveness.Left) {
		return
	}
	e.Peer, e.Verified = who.peer, true
}
