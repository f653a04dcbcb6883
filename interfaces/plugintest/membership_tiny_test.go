package plugintest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// tiny is a full mesh in one file: it keeps the promises of the contract, but for
// bounds and time, and breaks those that its flaws name.
type tiny struct {
	env   membership.Env
	flaws tinyFlaws

	mu      sync.Mutex
	left    bool
	known   map[name.Node]*tinyMember
	waiting map[name.Node][]chan error
	stopped bool
}

type tinyFlaws struct {
	stopOnce, selfMissing, unsorted, selfInView, noEndpoints      bool
	upTwice, noHearsay, neverHolds, joinsItself, textErrors       bool
	ignoresContext, stopsInsteadOfLeaving, notSticky, noWayBack   bool
	neverSuspects, diesAsLeft, noHeal, noRestart, pastSpeaks      bool
	idleIsDeath, inputWaits, believesFrames, repeatsDown, upFirst bool
	noKeys, neverAlone                                            bool
}

type tinyMember struct {
	membership.Member
	link    bool
	closing bool // by this node; what still comes over the link was said before it left
	linkInc uint64
	dialing bool
}

func (y *tiny) Start(context.Context) error {
	y.env.Tasks.Go("tend", func(ctx context.Context) {
		for ctx.Err() == nil {
			y.tend()
			select {
			case <-ctx.Done():
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
	return nil
}

func (y *tiny) Stop(ctx context.Context) error {
	y.mu.Lock()
	was := y.stopped
	y.stopped = true
	y.mu.Unlock()
	if was && y.flaws.stopOnce {
		return fmt.Errorf("stopped already")
	}
	return y.env.Tasks.Stop(ctx)
}

// tend dials whoever should have a link and has none.
func (y *tiny) tend() {
	y.mu.Lock()
	defer y.mu.Unlock()
	for _, m := range y.known {
		want := m.State == membership.Alive || m.State == membership.Suspect || m.State == membership.Down && !y.flaws.noHeal || m.State == ""
		if want && !y.left && !m.link && !m.dialing {
			m.dialing = true
			node, known := m.Node, m.Endpoints
			y.env.Tasks.Go("dial", func(ctx context.Context) { y.dialed(m, y.connect(ctx, node, known)) })
		}
	}
}

func (y *tiny) connect(ctx context.Context, node name.Node, known []name.Address) error {
	if y.flaws.inputWaits {
		y.mu.Lock()
		defer y.mu.Unlock()
	}
	return y.env.Network.Connect(ctx, node, known)
}

func (y *tiny) dialed(m *tinyMember, err error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	m.dialing = false
	if err != nil && m.State == membership.Suspect && !m.link {
		y.set(m, membership.Down, membership.MemberDown)
		if y.flaws.repeatsDown {
			y.emit(membership.MemberDown, m)
		}
	}
}

func (y *tiny) Join(ctx context.Context, through name.Node) error {
	if through == y.env.Node && !y.flaws.joinsItself {
		return fmt.Errorf("that is this node")
	} else if through == y.env.Node {
		return nil
	}
	if y.flaws.ignoresContext {
		ctx = context.WithoutCancel(ctx)
	}
	answer := make(chan error, 1)
	y.mu.Lock()
	y.left = false
	y.waiting[through] = append(y.waiting[through], answer)
	y.mu.Unlock()
	if err := y.connect(ctx, through, nil); err != nil {
		if y.flaws.textErrors {
			return errors.New("join: " + err.Error())
		}
		return err
	}
	_ = y.env.Network.Send(through, []byte(y.tag("J")))
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tag is a frame that names its sender, which only a fool believes.
func (y *tiny) tag(kind string) string { return kind + y.env.Node.String() }

func (y *tiny) Leave(context.Context) error {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.left = !y.flaws.notSticky
	for _, m := range y.known {
		y.apart(m)
		if m.link && y.flaws.stopsInsteadOfLeaving {
			y.env.Network.Disconnect(m.Node, transport.CloseStopping, "bye")
		} else if m.link {
			_ = y.env.Network.Send(m.Node, []byte(y.tag("L")))
			y.env.Network.Disconnect(m.Node, transport.CloseLeaving, "bye")
		}
		if m.State == membership.Alive || m.State == membership.Suspect {
			y.set(m, membership.Down, membership.MemberDown)
		}
	}
	if !y.flaws.notSticky {
		y.forget()
	}
	return nil
}

// forget leaves nothing but the links that are being closed.
func (y *tiny) forget() {
	known := y.known
	y.known = map[name.Node]*tinyMember{}
	for node, m := range known {
		if m.link {
			y.known[node] = &tinyMember{Member: membership.Member{Node: node}, link: true, closing: true, linkInc: m.linkInc}
		}
	}
}

func (y *tiny) Input(in membership.Input) {
	y.mu.Lock()
	defer y.mu.Unlock()
	node := in.Peer.Node
	if y.flaws.believesFrames && in.Kind == membership.Frame && len(in.Data) > 0 {
		if n, err := name.ParseNode(string(in.Data[1:])); err == nil {
			node = n
		}
	}
	m := y.known[node]
	if m == nil {
		m = &tinyMember{Member: membership.Member{Node: node}}
		y.known[node] = m
	}
	if past := in.Peer.Incarnation < max(m.Incarnation, m.linkInc); past && !y.flaws.pastSpeaks {
		return
	}
	switch {
	case in.Kind == membership.LinkUp:
		y.linkUp(m, in.Peer)
	case m.closing && in.Kind == membership.LinkDown:
		m.link, m.closing = false, false
	case m.closing:
	case in.Kind == membership.LinkDown:
		y.linkDown(m, in.Code)
	case in.Kind == membership.Frame:
		y.frame(m, in.Peer, string(in.Data))
	}
}

func (y *tiny) linkUp(m *tinyMember, peer membership.Peer) {
	old := m.Incarnation < peer.Incarnation && (m.State == membership.Alive || m.State == membership.Suspect)
	if old && !y.flaws.noRestart && !y.flaws.upFirst {
		y.apart(m)
		y.set(m, membership.Down, membership.MemberDown)
	}
	m.link, m.closing, m.linkInc = true, false, peer.Incarnation
	if y.left || m.State == membership.Left && m.Incarnation == peer.Incarnation {
		return
	}
	_ = y.env.Network.Send(m.Node, []byte(y.tag("J")))
}

func (y *tiny) linkDown(m *tinyMember, code transport.CloseCode) {
	m.link = false
	y.apart(m)
	switch {
	case code == transport.CloseLeaving || code == transport.CloseSilent && y.flaws.diesAsLeft:
		if m.State != membership.Left && m.State != "" {
			y.set(m, membership.Left, membership.MemberLeft)
		}
	case (code == transport.CloseIdle || code == transport.CloseDuplicate) && !y.flaws.idleIsDeath, y.flaws.neverSuspects:
	case m.State == membership.Alive:
		y.set(m, membership.Suspect, membership.MemberSuspect)
	}
}

func (y *tiny) frame(m *tinyMember, peer membership.Peer, frame string) {
	switch {
	case strings.HasPrefix(frame, "J") && y.left:
		_ = y.env.Network.Send(m.Node, []byte(y.tag("R")))
		y.env.Network.Disconnect(m.Node, transport.CloseLeaving, "left")
	case strings.HasPrefix(frame, "J"), strings.HasPrefix(frame, "A"):
		y.alive(m, peer)
		if frame[0] == 'J' {
			_ = y.env.Network.Send(m.Node, []byte(y.tag("A")))
			_ = y.env.Network.Send(m.Node, []byte(y.list()))
		}
		y.answer(m.Node, nil)
	case strings.HasPrefix(frame, "R"):
		y.answer(m.Node, membership.ErrLeft)
	case strings.HasPrefix(frame, "L"):
		if m.State == membership.Alive {
			y.apart(m)
			y.set(m, membership.Left, membership.MemberLeft)
		}
	case strings.HasPrefix(frame, "M") && !y.flaws.noHearsay:
		y.hear(frame[1:])
	}
}

func (y *tiny) answer(node name.Node, err error) {
	for _, w := range y.waiting[node] {
		w <- err
	}
	delete(y.waiting, node)
}

func (y *tiny) list() string {
	text := "M"
	for _, m := range y.known {
		if m.Neighbour && len(m.Endpoints) > 0 {
			text += m.Node.String() + " " + m.Endpoints[0].String() + "\n"
		}
	}
	return text
}

func (y *tiny) hear(text string) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) != 2 {
			continue
		}
		node, err1 := name.ParseNode(words[0])
		addr, err2 := name.ParseAddress(words[1])
		if err1 == nil && err2 == nil && y.known[node] == nil && node != y.env.Node {
			y.known[node] = &tinyMember{Member: membership.Member{Node: node, Endpoints: []name.Address{addr}}}
		}
	}
}

func (y *tiny) alive(m *tinyMember, peer membership.Peer) {
	old := m.State == membership.Alive && m.Incarnation < peer.Incarnation
	fresh := m.State != membership.Alive || m.Incarnation != peer.Incarnation || y.flaws.upTwice
	if m.State == membership.Left && m.Incarnation == peer.Incarnation && y.flaws.noWayBack {
		return
	}
	last := *m
	m.Incarnation, m.Endpoints = peer.Incarnation, peer.Endpoints
	if !y.flaws.noKeys {
		m.Key = peer.Key
	}
	if fresh {
		y.set(m, membership.Alive, membership.MemberUp)
	}
	if old && y.flaws.upFirst {
		y.emit(membership.MemberDown, &last)
	}
	if !m.Neighbour {
		m.Neighbour = true
		y.emit(membership.PeerUp, m)
		y.alone(membership.Connected, 1)
		if !y.flaws.neverHolds {
			y.env.Network.Hold(m.Node, true)
		}
	}
}

func (y *tiny) apart(m *tinyMember) {
	if m.Neighbour {
		m.Neighbour = false
		y.env.Network.Hold(m.Node, false)
		y.emit(membership.PeerDown, m)
		y.alone(membership.Isolated, 0)
	}
}

// alone tells of this node if it has so many neighbours now.
func (y *tiny) alone(t membership.EventType, neighbours int) {
	for _, m := range y.known {
		if m.Neighbour {
			neighbours--
		}
	}
	if neighbours == 0 && !y.left && !y.flaws.neverAlone {
		y.env.Emit(membership.Event{Type: t, Node: y.env.Node, Incarnation: y.env.Incarnation})
	}
}

func (y *tiny) set(m *tinyMember, s membership.State, t membership.EventType) {
	m.State, m.Since = s, time.Now()
	y.emit(t, m)
}

func (y *tiny) emit(t membership.EventType, m *tinyMember) {
	y.env.Emit(membership.Event{Type: t, Node: m.Node, Incarnation: m.Incarnation, Endpoints: m.Endpoints})
}

func (y *tiny) Members() []membership.Member {
	y.mu.Lock()
	defer y.mu.Unlock()
	self := membership.Member{Node: y.env.Node, Key: y.env.Signer.Public(), State: membership.Alive, Incarnation: y.env.Incarnation, Endpoints: y.env.Network.Self(), Since: time.Now()}
	if y.left {
		self.State = membership.Left
	}
	list := []membership.Member{self}
	if y.flaws.selfMissing {
		list = nil
	}
	for _, m := range y.known {
		if m.State != "" {
			member := m.Member
			if y.flaws.noEndpoints {
				member.Endpoints = nil
			}
			list = append(list, member)
		}
	}
	slices.SortFunc(list, func(a, b membership.Member) int { return a.Node.Compare(b.Node) })
	if y.flaws.unsorted {
		slices.Reverse(list)
	}
	return list
}

func (y *tiny) View() membership.View {
	y.mu.Lock()
	defer y.mu.Unlock()
	var v membership.View
	for _, m := range y.known {
		if m.Neighbour {
			v.Active = append(v.Active, m.Node)
		}
	}
	if y.flaws.selfInView {
		v.Active = append(v.Active, y.env.Node)
	}
	slices.SortFunc(v.Active, name.Node.Compare)
	return v
}
