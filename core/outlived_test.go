package core

import (
	"testing"

	"github.com/barrelp2p/barrel/core/block/link"
	"github.com/barrelp2p/barrel/core/machine/handshake"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// A link ends because of a later life only if its peer is a member: who came in by cookie alone
// proved no key, and anybody could say that there is a later life of the name.
func TestOnlyMembersAreOutlived(t *testing.T) {
	node := name.MustNode("b@h")
	for _, c := range []struct {
		peer link.Peer
		want bool
	}{
		{link.Peer{Node: node, Incarnation: 3, Proof: handshake.Signed}, true},
		{link.Peer{Node: node, Incarnation: 4, Proof: handshake.Signed}, false},
		{link.Peer{Node: node, Incarnation: 3, Proof: handshake.CookieOnly}, false},
		{link.Peer{Node: node, Incarnation: 3, Proof: handshake.Signed, Outside: true}, false},
	} {
		var lives linkedLives
		lives.up(c.peer)
		if got := lives.before(node, 4); got != c.want {
			t.Errorf("%+v is outlived by the fourth life: %t", c.peer, got)
		}
		lives.down(c.peer)
		if lives.before(node, 9) {
			t.Errorf("%+v is remembered", c.peer)
		}
	}
}
