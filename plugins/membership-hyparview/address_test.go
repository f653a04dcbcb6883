package membershiphyparview

import (
	"crypto/ed25519"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/member"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// A node that moves and then meets a peer shows it a record that the peer prefers to
// the one that it has, and tells everybody.
func TestAMoveTakesAHigherStamp(t *testing.T) {
	here := &place{at: []name.Address{name.MustAddress("10.0.0.1:9100")}}
	m := newMind(stoppedHost(t, here))
	m.begin()
	peer := membership.Peer{Node: name.MustNode("b@h"), Key: newSigner(2).Public(), Incarnation: 3}
	m.linkUp(peer)
	before := shown(t, m.settle(), peer.Node)

	here.at = []name.Address{name.MustAddress("10.0.0.2:9100")}
	m.input(&membership.Input{Kind: membership.LinkDown, Peer: peer})
	m.linkUp(peer)
	acts := m.settle()
	after := shown(t, acts, peer.Node)
	if after.Compare(&before) <= 0 || after.Endpoints[0] != here.at[0] {
		t.Errorf("the record at %s is %+v, which does not replace %+v", here.at, after, before)
	}
	if !slices.ContainsFunc(acts, func(a act) bool { return a.kind == actBroadcast }) {
		t.Error("the others were not told")
	}
}

// A node that starts again remembers members, and says that it has no way to them.
func TestWhoRemembersMembersIsIsolatedAtFirst(t *testing.T) {
	h := stoppedHost(t, &place{})
	h.mind, h.running = newMind(h), true
	h.mind.begin()
	if got := h.Health(); got.State != plugin.Healthy {
		t.Errorf("a first node is %+v", got)
	}
	other := newSigner(2)
	r := member.Record{Node: name.MustNode("b@h"), Key: other.Public(), Cluster: "c", Incarnation: 3}
	body := r.Encode()
	h.remember([]keptMember{{Node: r.Node, Seen: time.Now(), Record: member.Seal(body, other.Sign(body))}})
	h.mind = newMind(h)
	h.mind.begin()
	if got := h.Health(); got.State != plugin.Degraded || !strings.HasPrefix(got.Detail, "isolated") {
		t.Errorf("a node that remembers another is %+v", got)
	}
}

// place says where the node is, which is all that a mind asks of its network.
type place struct {
	membership.Network
	at []name.Address
}

func (p *place) Self() []name.Address { return p.at }

func stoppedHost(t *testing.T, network membership.Network) *host {
	t.Helper()
	env := membership.Env{
		Env: plugin.Env{
			Node: name.MustNode("a@h"), Cluster: "c", Incarnation: 7, DataDir: t.TempDir(),
			Log: slog.New(slog.DiscardHandler), Tasks: plugin.NewTasks(nil),
		},
		Network: network, Signer: newSigner(1), Emit: func(membership.Event) {},
		Vet: func(name.Node, trust.Key) error { return nil },
	}
	p, err := build(env, defaults())
	if err != nil {
		t.Fatal(err)
	}
	return p.(*host)
}

// shown is the record that a peer is shown.
func shown(t *testing.T, acts []act, node name.Node) member.Record {
	t.Helper()
	for _, a := range acts {
		if a.kind != actSend || a.node != node || first(a.data) != frameRecord {
			continue
		}
		r, err := member.Open(a.data[1:])
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	t.Fatalf("no record was shown to %s", node)
	return member.Record{}
}

type signer struct{ private ed25519.PrivateKey }

func newSigner(seed byte) signer {
	return signer{ed25519.NewKeyFromSeed(append(make([]byte, ed25519.SeedSize-1), seed))}
}

func (s signer) Public() (key trust.Key) {
	copy(key[:], s.private[ed25519.SeedSize:])
	return key
}

func (s signer) Sign(message []byte) [64]byte {
	return [64]byte(ed25519.Sign(s.private, trust.Signed(trust.ForMembership, message)))
}
