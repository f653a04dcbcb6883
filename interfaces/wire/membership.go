package wire

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/barrelp2p/barrel/interfaces/inbox"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/proto/membershipv1"
	"github.com/barrelp2p/barrel/interfaces/proto/pluginv1"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// membersOfPage is how many members one message of Watch has at most, and gone ones.
const membersOfPage = 500

// Membership is the host half of a membership. It reads from a copy, which what the
// plugin tells keeps up to date.
type Membership struct {
	*Plugin

	client membershipv1.MembershipClient
	env    membership.Env
	roll   *Roll
	box    *inbox.Box[struct{}]

	passed bool     // another has taken its place; guarded by roll
	early  []change // told before it counted; guarded by roll

	streams
}

var _ membership.Plugin = (*Membership)(nil)

// NewMembership asks over a connection. From Start to Stop the plugin is lent what env
// has, and roll is what it knows.
func NewMembership(conn grpc.ClientConnInterface, env membership.Env, roll *Roll) *Membership {
	return &Membership{
		Plugin: NewPlugin(conn), client: membershipv1.NewMembershipClient(conn), env: env, roll: roll, box: inbox.New[struct{}](),
	}
}

// Start lends the plugin what it needs, listens to it, and starts it.
func (m *Membership) Start(ctx context.Context) (err error) {
	desk := &desk{
		network: m.env.Network, signer: m.env.Signer, more: m.answer, open: map[uint64]context.CancelFunc{},
		counts: func() bool { return m.roll.counts(m) },
	}
	s, err := m.begin(ctx, desk, m.client.Lend)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			m.exchange(nil, nil)
		}
	}()
	if err := m.listen(ctx, s); err != nil {
		return err
	}
	if err := m.Plugin.Start(ctx); err != nil {
		return err
	}
	if err := m.roll.adopt(m); err != nil {
		return err
	}
	if err := m.feed(s); err != nil {
		return err
	}
	return m.sync(ctx)
}

// Stop stops the plugin and takes back what it was lent. Reads go on.
func (m *Membership) Stop(ctx context.Context) error {
	m.box.Close()
	err := m.Plugin.Stop(ctx)
	if err == nil && m.runs() {
		err = m.sync(ctx)
	}
	m.exchange(nil, nil)
	return err
}

// Ask asks how the plugin is. One that does not listen or tell any more is not well,
// whatever it says.
func (m *Membership) Ask(ctx context.Context) (plugin.Health, error) {
	if err := m.broken(); err != nil {
		return plugin.Health{}, err
	}
	return m.Plugin.Ask(ctx)
}

// listen takes what the plugin tells.
func (m *Membership) listen(ctx context.Context, s *session) error {
	stream, err := watch(s, ctx, m.client.Watch, &membershipv1.WatchRequest{})
	if err != nil {
		return err
	}
	s.run("watch", func() error {
		defer m.roll.lost(m)
		var c change
		for {
			in, err := stream.Recv()
			if err != nil {
				return err
			}
			if err := c.read(in); err != nil {
				return err
			}
			if in.GetMore() {
				continue
			}
			if err := m.roll.apply(m, c); err != nil {
				return err
			}
			c = change{}
			s.advance(in.GetTold())
		}
	})
	return nil
}

// read adds a page to a change.
func (c *change) read(in *membershipv1.WatchResponse) error {
	if len(in.GetMembers()) > membersOfPage || len(in.GetGone()) > membersOfPage || len(in.GetEvents()) > maxTold ||
		len(c.members) > maxRoll || len(c.gone) > maxRoll || len(c.events) > maxTold {
		return malformed("a page of more than %d members, or a picture of more than %d", membersOfPage, maxRoll)
	}
	for _, told := range in.GetMembers() {
		member, err := memberFromWire(told)
		if err != nil {
			return err
		}
		c.members = append(c.members, member)
	}
	gone, err := nodesFromWire(in.GetGone())
	if err != nil {
		return err
	}
	c.gone = append(c.gone, gone...)
	if in.GetView() {
		if c.view, err = viewFromWire(in); err != nil {
			return err
		}
	}
	for _, told := range in.GetEvents() {
		e, err := memberEventFromWire(told)
		if err != nil {
			return err
		}
		c.events = append(c.events, e)
	}
	return nil
}

func viewFromWire(in *membershipv1.WatchResponse) (*membership.View, error) {
	if len(in.GetActive())+len(in.GetPassive()) > maxRoll {
		return nil, malformed("a view of more than %d members", maxRoll)
	}
	active, err := nodesFromWire(in.GetActive())
	if err != nil {
		return nil, err
	}
	passive, err := nodesFromWire(in.GetPassive())
	return &membership.View{Active: active, Passive: passive}, err
}

// feed passes on what happens.
func (m *Membership) feed(s *session) error {
	stream, err := m.client.Feed(s.ctx)
	if err != nil {
		return fmt.Errorf("feed: %w", fromStatus(s.ctx, err))
	}
	m.box.Open()
	s.run("feed", func() error {
		return drain(s.ctx, m.box, func(p inbox.Parcel[struct{}]) error {
			if p.Input != nil {
				return stream.Send(inputToWire(p.Input))
			}
			m.env.Network.Disconnect(p.TooFast, transport.CloseBusy, "too many membership frames waiting")
			return nil
		})
	})
	return nil
}

func inputToWire(in *membership.Input) *membershipv1.FeedRequest {
	out := &membershipv1.FeedRequest{
		Kind: membershipv1.FeedRequest_Kind(in.Kind), Peer: peerToWire(in.Peer), Data: in.Data,
		Code: uint32(in.Code), Text: text(in.Text),
	}
	for _, node := range in.Nodes {
		out.Nodes = append(out.Nodes, node.String())
	}
	return out
}

// Input queues what happened. A peer that sends more than the plugin reads is
// disconnected.
func (m *Membership) Input(in membership.Input) { m.box.Put(in) }

// answer answers what only a membership may ask.
func (m *Membership) answer(q *pluginv1.Question, out *pluginv1.Answer) (later func(context.Context) error, err error) {
	switch question := q.GetQuestion().(type) {
	case *pluginv1.Question_Self:
		out.Texts = endpointsToWire(m.env.Network.Self())
		return nil, nil
	case *pluginv1.Question_Connect:
		return m.connect(question.Connect)
	case *pluginv1.Question_Flush:
		return patient(question.Flush.GetPatience(), m.env.Network.Flush), nil
	case *pluginv1.Question_Vet:
		return m.vet(question.Vet)
	case *pluginv1.Question_Hold:
		node, err := name.ParseNode(question.Hold.GetNode())
		if err == nil {
			m.env.Network.Hold(node, question.Hold.GetHold())
		}
		return nil, err
	case *pluginv1.Question_Disconnect:
		node, err := name.ParseNode(question.Disconnect.GetNode())
		if err == nil {
			m.env.Network.Disconnect(node, transport.CloseCode(question.Disconnect.GetCode()), text(question.Disconnect.GetReason()))
		}
		return nil, err
	}
	return nil, plugin.ErrUnsupported
}

func (m *Membership) connect(in *pluginv1.ConnectNode) (func(context.Context) error, error) {
	node, err := name.ParseNode(in.GetNode())
	if err != nil {
		return nil, err
	}
	known, err := endpointsFromWire(in.GetKnown())
	if err != nil {
		return nil, err
	}
	return patient(in.GetPatience(), func(ctx context.Context) error { return m.env.Network.Connect(ctx, node, known) }), nil
}

// patient bounds work by the patience of who asked.
func patient(patience *durationpb.Duration, work func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if patience.IsValid() {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, patience.AsDuration())
			defer cancel()
		}
		return work(ctx)
	}
}

func (m *Membership) vet(in *pluginv1.VetKey) (func(context.Context) error, error) {
	node, err := name.ParseNode(in.GetNode())
	if err != nil {
		return nil, err
	}
	key, err := keyFromWire(in.GetKey())
	if err != nil {
		return nil, err
	}
	return func(context.Context) error { return m.env.Vet(node, key) }, nil
}

// Join asks the plugin to, and returns when its picture is known here.
func (m *Membership) Join(ctx context.Context, through name.Node) error {
	in, err := m.client.Join(ctx, &membershipv1.JoinRequest{Through: through.String()})
	if err = called(ctx, err, in.GetError()); err != nil {
		return err
	}
	return m.sync(ctx)
}

// Leave asks the plugin to, and returns when its picture is known here.
func (m *Membership) Leave(ctx context.Context) error {
	in, err := m.client.Leave(ctx, &membershipv1.LeaveRequest{})
	if err = called(ctx, err, in.GetError()); err != nil {
		return err
	}
	return m.sync(ctx)
}

// sync waits until what the plugin knows now is known here.
func (m *Membership) sync(ctx context.Context) error {
	in, err := m.client.Sync(ctx, &membershipv1.SyncRequest{})
	if err = called(ctx, err, in.GetError()); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	return m.await(ctx, in.GetTold())
}

// Members reads the copy.
func (m *Membership) Members() []membership.Member { return m.roll.Members() }

// View reads the copy.
func (m *Membership) View() membership.View { return m.roll.View() }

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

// LentMembership is the plugin's side of what a host lends to a membership: its
// environment.
type LentMembership struct {
	*Lent

	events *outlet[membership.Event]
}

var _ membership.Network = (*LentMembership)(nil)

// NewLentMembership returns what is not lent yet.
func NewLentMembership() *LentMembership {
	return &LentMembership{Lent: newLent(), events: newOutlet[membership.Event]()}
}

// Env completes an environment with what is lent.
func (l *LentMembership) Env(env plugin.Env) membership.Env {
	return membership.Env{Env: env, Network: l, Signer: l.Lent, Emit: l.events.put, Vet: l.vet}
}

// Self asks the host; nowhere while it does not answer.
func (l *LentMembership) Self() []name.Address {
	answer, err := l.now(&pluginv1.Question{Question: &pluginv1.Question_Self{Self: &pluginv1.SelfAddresses{}}})
	if err != nil {
		return nil
	}
	addresses, err := endpointsFromWire(answer.GetTexts())
	if err != nil {
		return nil
	}
	return addresses
}

// Connect asks the host.
func (l *LentMembership) Connect(ctx context.Context, node name.Node, known []name.Address) error {
	return l.await(ctx, &pluginv1.Question{Question: &pluginv1.Question_Connect{Connect: &pluginv1.ConnectNode{
		Node: node.String(), Known: endpointsToWire(known[:min(len(known), maxEndpoints)]), Patience: patienceOf(ctx),
	}}})
}

func patienceOf(ctx context.Context) *durationpb.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return nil
	}
	return durationpb.New(max(0, time.Until(deadline)))
}

// Hold asks the host.
func (l *LentMembership) Hold(node name.Node, hold bool) {
	_, _ = l.now(&pluginv1.Question{Question: &pluginv1.Question_Hold{Hold: &pluginv1.HoldLink{Node: node.String(), Hold: hold}}})
}

// Flush asks the host.
func (l *LentMembership) Flush(ctx context.Context) error {
	return l.await(ctx, &pluginv1.Question{Question: &pluginv1.Question_Flush{Flush: &pluginv1.FlushBroadcasts{Patience: patienceOf(ctx)}}})
}

// Disconnect asks the host.
func (l *LentMembership) Disconnect(node name.Node, code transport.CloseCode, reason string) {
	_, _ = l.now(&pluginv1.Question{Question: &pluginv1.Question_Disconnect{Disconnect: &pluginv1.DisconnectNode{
		Node: node.String(), Code: uint32(code), Reason: text(reason),
	}}})
}

func (l *LentMembership) vet(node name.Node, key trust.Key) error {
	ctx, cancel := context.WithTimeout(context.Background(), askPatience)
	defer cancel()
	return l.await(ctx, &pluginv1.Question{Question: &pluginv1.Question_Vet{Vet: &pluginv1.VetKey{Node: node.String(), Key: key[:]}}})
}

// ServeMembership offers the membership that a holder holds, which was made with the
// environment that lent gives.
func ServeMembership(s grpc.ServiceRegistrar, held *Holder[membership.Plugin], lent *LentMembership) {
	membershipv1.RegisterMembershipServer(s, &membershipServer{held: held, lent: lent})
}

// membershipServer is the plugin half.
type membershipServer struct {
	membershipv1.UnimplementedMembershipServer

	held *Holder[membership.Plugin]
	lent *LentMembership
}

func (s *membershipServer) with(do func(membership.Plugin) error) error {
	held, err := s.held.Get()
	if err != nil {
		return err
	}
	return do(held)
}

func (s *membershipServer) Join(ctx context.Context, in *membershipv1.JoinRequest) (*membershipv1.JoinResponse, error) {
	through, err := name.ParseNode(in.GetThrough())
	if err == nil {
		err = s.with(func(m membership.Plugin) error { return m.Join(ctx, through) })
	}
	return &membershipv1.JoinResponse{Error: toWire(err)}, nil
}

func (s *membershipServer) Leave(ctx context.Context, _ *membershipv1.LeaveRequest) (*membershipv1.LeaveResponse, error) {
	err := s.with(func(m membership.Plugin) error { return m.Leave(ctx) })
	return &membershipv1.LeaveResponse{Error: toWire(err)}, nil
}

func (s *membershipServer) Sync(context.Context, *membershipv1.SyncRequest) (*membershipv1.SyncResponse, error) {
	return &membershipv1.SyncResponse{Told: s.lent.events.mark()}, nil
}

func (s *membershipServer) Lend(stream membershipv1.Membership_LendServer) error {
	return s.lent.serve(stream)
}

func (s *membershipServer) Feed(stream membershipv1.Membership_FeedServer) error {
	for {
		in, err := stream.Recv()
		if err != nil {
			return nil // the host has ended it
		}
		input, err := inputFromWire(in)
		if err == nil {
			err = s.with(func(m membership.Plugin) error { m.Input(input); return nil })
		}
		if err != nil {
			return err
		}
	}
}

func inputFromWire(in *membershipv1.FeedRequest) (out membership.Input, err error) {
	out = membership.Input{
		Kind: membership.InputKind(in.GetKind()), Data: in.GetData(), Code: transport.CloseCode(in.GetCode()), Text: in.GetText(),
	}
	if out.Peer, err = peerFromWire(in.GetPeer()); err != nil {
		return out, err
	}
	out.Nodes, err = nodesFromWire(in.GetNodes())
	return out, err
}

// The picture is looked at after each event, and now and then because parts of it change
// without one; the larger it is, the more rarely.
const (
	lookEvery  = 250 * time.Millisecond
	lookFactor = 20 // of the time that a look takes
)

func (s *membershipServer) Watch(_ *membershipv1.WatchRequest, stream membershipv1.Membership_WatchServer) error {
	p := &painter{stream: stream, sent: map[name.Node]membership.Member{}}
	looking := sync.WaitGroup{}
	defer looking.Wait()
	pause := make(chan time.Duration, 1)
	looking.Go(func() { s.lent.events.knock(stream.Context(), pause) })
	return s.lent.events.watched(stream.Context(), stream.SendHeader, func() error {
		begun := time.Now()
		events, told := s.lent.events.take(func(int, *membership.Event) bool { return true })
		err := s.with(func(m membership.Plugin) error { return p.paint(m.Members(), m.View(), events, told) })
		select {
		case pause <- max(lookEvery, lookFactor*time.Since(begun)):
		default:
		}
		return err
	})
}

// knock has the outlet look again after each pause.
func (o *outlet[E]) knock(ctx context.Context, pause <-chan time.Duration) {
	timer := time.NewTimer(lookEvery)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			o.ring()
		case p := <-pause:
			timer.Reset(p)
		case <-ctx.Done():
			return
		}
	}
}

// painter sends what has changed since it sent last.
type painter struct {
	stream membershipv1.Membership_WatchServer
	sent   map[name.Node]membership.Member
	view   *membership.View // nil: none yet
	told   uint64
}

func (p *painter) paint(members []membership.Member, view membership.View, events []membership.Event, told uint64) error {
	var pages []*membershipv1.WatchResponse
	page := func(full func(*membershipv1.WatchResponse) bool) *membershipv1.WatchResponse {
		if len(pages) == 0 || full(pages[len(pages)-1]) {
			pages = append(pages, &membershipv1.WatchResponse{})
		}
		return pages[len(pages)-1]
	}
	there := make(map[name.Node]bool, len(members))
	for _, m := range members {
		there[m.Node] = true
		if old, had := p.sent[m.Node]; !had || !sameMember(old, m) {
			p.sent[m.Node] = m
			on := page(func(r *membershipv1.WatchResponse) bool { return len(r.GetMembers()) >= membersOfPage })
			on.Members = append(on.Members, memberToWire(m))
		}
	}
	for node := range p.sent {
		if !there[node] {
			delete(p.sent, node)
			on := page(func(r *membershipv1.WatchResponse) bool { return len(r.GetGone()) >= membersOfPage })
			on.Gone = append(on.Gone, node.String())
		}
	}
	changed := p.view == nil || !slices.Equal(p.view.Active, view.Active) || !slices.Equal(p.view.Passive, view.Passive)
	if len(pages) == 0 && !changed && len(events) == 0 && told == p.told {
		return nil
	}
	last := page(func(*membershipv1.WatchResponse) bool { return false })
	if changed {
		p.view, last.View, last.Active, last.Passive = &view, true, nodesToWire(view.Active), nodesToWire(view.Passive)
	}
	for _, e := range events {
		last.Events = append(last.Events, memberEventToWire(e))
	}
	p.told, last.Told = told, told
	return p.send(pages)
}

func (p *painter) send(pages []*membershipv1.WatchResponse) error {
	for i, page := range pages {
		page.More = i < len(pages)-1
		if err := p.stream.Send(page); err != nil {
			return err
		}
	}
	return nil
}

func sameMember(a, b membership.Member) bool {
	return a.Key == b.Key && a.State == b.State && a.Incarnation == b.Incarnation && a.Neighbour == b.Neighbour &&
		a.Since.Equal(b.Since) && slices.Equal(a.Endpoints, b.Endpoints)
}

func nodesToWire(in []name.Node) []string {
	out := make([]string, 0, len(in))
	for _, node := range in {
		out = append(out, node.String())
	}
	return out
}
