package membershiphyparview

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/barrelp2p/barrel/core/machine/liveness"
	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// Members lists what liveness believes, as of the last step.
func (h *host) Members() []membership.Member {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mind == nil {
		return []membership.Member{h.selfMember(membership.Alive, h.epoch)}
	}
	near := h.mind.hv.Active(nil)
	list := make([]membership.Member, 0, len(near)+1)
	h.mind.lv.Members(func(m liveness.Member) {
		if m.Peer == h.book.self.peer {
			list = append(list, h.selfMember(h.ownState(), h.epoch.Add(m.Since)))
		} else if e := h.book.node(m.Peer); e != nil {
			list = append(list, membership.Member{
				Node: e.node, Key: e.key, State: state(m.State), Incarnation: m.Inc, Endpoints: clip(e.endpoints),
				Neighbour: h.running && slices.Contains(near, m.Peer), Since: h.epoch.Add(m.Since).UTC().Round(0),
			})
		}
	})
	slices.SortFunc(list, func(a, b membership.Member) int { return a.Node.Compare(b.Node) })
	return list
}

func (h *host) selfMember(s membership.State, since time.Time) membership.Member {
	return membership.Member{
		Node: h.env.Node, Key: h.env.Signer.Public(), State: s, Incarnation: h.env.Incarnation,
		Endpoints: h.env.Network.Self(), Since: since.UTC().Round(0),
	}
}

func (h *host) ownState() membership.State {
	if _, left := h.mind.lv.Stamp(); left {
		return membership.Left
	}
	return membership.Alive
}

func state(s liveness.State) membership.State {
	switch s {
	case liveness.Suspect:
		return membership.Suspect
	case liveness.Down:
		return membership.Down
	case liveness.Left:
		return membership.Left
	}
	return membership.Alive
}

// View is the neighbours and the reserve, as of the last step.
func (h *host) View() membership.View {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mind == nil || !h.running {
		return membership.View{Active: []name.Node{}, Passive: []name.Node{}}
	}
	return membership.View{Active: h.mind.neighbours(), Passive: h.mind.nodes(h.mind.hv.Passive(nil))}
}

// Health says in one line how the cluster looks from here.
func (h *host) Health() plugin.Health {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.running {
		return plugin.Health{State: plugin.Stopped}
	}
	m := h.mind
	var troubles []string
	switch {
	case m.hv.HasLeft():
		return plugin.Health{State: plugin.Healthy, Detail: "left; join to be back"}
	case m.isolated:
		troubles = append(troubles, "isolated: no neighbours are left; dialing remembered members")
	case m.partitioned:
		troubles = append(troubles, "partitioned: many members went at once; dialing them")
	}
	if text := h.book.misplaced(); text != "" {
		troubles = append(troubles, text)
	}
	if len(troubles) > 0 {
		return plugin.Health{State: plugin.Degraded, Detail: strings.Join(troubles, "; ")}
	}
	s := m.lv.Stats()
	return plugin.Health{State: plugin.Healthy, Detail: fmt.Sprintf("%d neighbours, %d in reserve; %d alive, %d suspect, %d down, %d left",
		len(m.hv.Active(nil)), len(m.hv.Passive(nil)), s.Living-s.Suspects, s.Suspects, s.Down, s.Left)}
}

// release ends the neighbourhood on paper: nobody watches it while the plugin is
// stopped.
func (m *mind) release() (acts []act) {
	for _, p := range m.hv.Active(nil) {
		if e := m.book.node(p); e != nil {
			acts = append(acts, act{kind: actEmit, event: membership.Event{
				Type: membership.PeerDown, Node: e.node, Incarnation: max(e.linked, 1), Endpoints: clip(e.endpoints), Reason: "stopped here",
			}})
		}
	}
	for _, p := range sorted(m.held) {
		if e := m.book.node(p); e != nil {
			acts = append(acts, act{kind: actHold, node: e.node})
		}
	}
	return acts
}

func sorted(set map[overlay.Peer]bool) []overlay.Peer {
	all := make([]overlay.Peer, 0, len(set))
	for p := range set {
		all = append(all, p)
	}
	slices.Sort(all)
	return all
}
