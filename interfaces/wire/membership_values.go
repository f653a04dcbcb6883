package wire

import (
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/proto/membershipv1"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

func keyToWire(key trust.Key) []byte {
	if key.IsZero() {
		return nil
	}
	return key[:]
}

// optionalKey reads a key that may be missing.
func optionalKey(in []byte) (trust.Key, error) {
	if len(in) == 0 {
		return trust.Key{}, nil
	}
	return keyFromWire(in)
}

func peerToWire(p membership.Peer) *membershipv1.Peer {
	return &membershipv1.Peer{
		Node: p.Node.String(), Key: keyToWire(p.Key), Incarnation: p.Incarnation,
		Endpoints: endpointsToWire(p.Endpoints), Remote: p.Remote.String(),
	}
}

func peerFromWire(in *membershipv1.Peer) (p membership.Peer, err error) {
	p.Incarnation = in.GetIncarnation()
	if err := p.Node.UnmarshalText([]byte(in.GetNode())); err != nil {
		return p, malformed("%s", text(err.Error()))
	}
	if err := p.Remote.UnmarshalText([]byte(in.GetRemote())); err != nil {
		return p, malformed("%s", text(err.Error()))
	}
	if p.Key, err = optionalKey(in.GetKey()); err != nil {
		return p, err
	}
	p.Endpoints, err = endpointsFromWire(in.GetEndpoints())
	return p, err
}

func memberToWire(m membership.Member) *membershipv1.Member {
	return &membershipv1.Member{
		Node: m.Node.String(), Key: keyToWire(m.Key), State: string(m.State), Incarnation: m.Incarnation,
		Endpoints: endpointsToWire(m.Endpoints), Neighbour: m.Neighbour, Since: timeToWire(m.Since),
	}
}

func memberFromWire(in *membershipv1.Member) (m membership.Member, err error) {
	m = membership.Member{
		State: membership.State(in.GetState()), Incarnation: in.GetIncarnation(), Neighbour: in.GetNeighbour(), Since: timeFromWire(in.GetSince()),
	}
	if m.Node, err = name.ParseNode(in.GetNode()); err != nil {
		return m, malformed("%s", text(err.Error()))
	}
	switch m.State {
	case membership.Alive, membership.Suspect, membership.Down, membership.Left:
	default:
		return m, malformed("a member that is %q", text(in.GetState()))
	}
	if m.Key, err = optionalKey(in.GetKey()); err != nil {
		return m, err
	}
	m.Endpoints, err = endpointsFromWire(in.GetEndpoints())
	return m, err
}

func memberEventToWire(e membership.Event) *membershipv1.Event {
	return &membershipv1.Event{
		Type: string(e.Type), Node: e.Node.String(), Incarnation: e.Incarnation,
		Endpoints: endpointsToWire(e.Endpoints), Reason: text(e.Reason),
	}
}

func memberEventFromWire(in *membershipv1.Event) (e membership.Event, err error) {
	e = membership.Event{Type: membership.EventType(text(in.GetType())), Incarnation: in.GetIncarnation(), Reason: text(in.GetReason())}
	if err := e.Node.UnmarshalText([]byte(in.GetNode())); err != nil {
		return e, malformed("%s", text(err.Error()))
	}
	e.Endpoints, err = endpointsFromWire(in.GetEndpoints())
	return e, err
}

func nodesFromWire(in []string) ([]name.Node, error) {
	out := make([]name.Node, 0, len(in))
	for _, s := range in {
		node, err := name.ParseNode(s)
		if err != nil {
			return nil, malformed("%s", text(err.Error()))
		}
		out = append(out, node)
	}
	return out, nil
}

func nodesToWire(in []name.Node) []string {
	out := make([]string, 0, len(in))
	for _, node := range in {
		out = append(out, node.String())
	}
	return out
}
