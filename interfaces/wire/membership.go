package wire

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/barrelp2p/barrel/interfaces/inbox"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/proto/membershipv1"
	"github.com/barrelp2p/barrel/interfaces/proto/pluginv1"
	"github.com/barrelp2p/barrel/interfaces/transport"
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
	loud   int      // how much that is; guarded by roll

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
func (m *Membership) Start(ctx context.Context) error {
	desk := &desk{
		network: m.env.Network, signer: m.env.Signer, more: m.answer, open: map[uint64]context.CancelFunc{},
		counts: func() bool { return m.roll.counts(m) },
	}
	return m.start(ctx, desk, m.client.Lend, phases{
		listen: m.listen, start: m.Plugin.Start, adopt: func() error { return m.roll.adopt(m) }, feed: m.feed, sync: m.sync,
	})
}

// Stop stops the plugin and takes back what it was lent. Reads go on.
func (m *Membership) Stop(ctx context.Context) error {
	m.box.Close()
	return m.stop(ctx, m.Plugin.Stop, m.sync)
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
	stream, err := watch(ctx, s, m.client.Watch, &membershipv1.WatchRequest{})
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
	return fed(stream, func(in *membershipv1.FeedRequest) error {
		input, err := inputFromWire(in)
		if err != nil {
			return err
		}
		return s.with(func(m membership.Plugin) error { m.Input(input); return nil })
	})
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
