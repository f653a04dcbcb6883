package wire

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/barrelp2p/barrel/interfaces/inbox"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/proto/pluginv1"
	"github.com/barrelp2p/barrel/interfaces/proto/registryv1"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// The bounds of one message of what a registry tells.
const (
	eventsOfMessage = 500
	bytesOfMessage  = 1 << 20 // of metadata, beyond the first event
)

// Registry is the host half of a registry. It reads from a copy, which what the plugin
// tells keeps up to date.
type Registry struct {
	*Plugin

	client registryv1.RegistryClient
	env    registry.Env
	shown  *Shown
	box    *inbox.Box[membership.Event]

	passed bool             // another has taken its place; guarded by shown
	early  []registry.Event // told before it counted; guarded by shown
	loud   int              // how much memory that is; guarded by shown

	streams
}

var (
	_ registry.Plugin = (*Registry)(nil)
	_ registry.Finder = (*Registry)(nil)
)

// NewRegistry asks over a connection. From Start to Stop the plugin is lent what env
// has, and shown is what it shows.
func NewRegistry(conn grpc.ClientConnInterface, env registry.Env, shown *Shown) *Registry {
	return &Registry{
		Plugin: NewPlugin(conn), client: registryv1.NewRegistryClient(conn), env: env, shown: shown,
		box: inbox.New[membership.Event](),
	}
}

// Start lends the plugin what it needs, listens to it, and starts it.
func (r *Registry) Start(ctx context.Context) error {
	desk := &desk{
		network: r.env.Network, signer: r.env.Signer, more: r.answer, open: map[uint64]context.CancelFunc{},
		counts: func() bool { return r.shown.counts(r) },
	}
	return r.start(ctx, desk, r.client.Lend, phases{
		listen: r.listen, start: r.Plugin.Start, adopt: func() error { return r.shown.adopt(r) }, feed: r.feed, sync: r.sync,
	})
}

// Stop stops the plugin and takes back what it was lent. Reads go on.
func (r *Registry) Stop(ctx context.Context) error {
	r.box.Close()
	return r.stop(ctx, r.Plugin.Stop, r.sync)
}

// Ask asks how the plugin is. One that does not listen or tell any more is not well,
// whatever it says.
func (r *Registry) Ask(ctx context.Context) (plugin.Health, error) {
	if err := r.broken(); err != nil {
		return plugin.Health{}, err
	}
	return r.Plugin.Ask(ctx)
}

// listen takes what the plugin tells.
func (r *Registry) listen(ctx context.Context, s *session) error {
	stream, err := watch(ctx, s, r.client.Watch, &registryv1.WatchRequest{})
	if err != nil {
		return err
	}
	s.run("watch", func() error {
		defer r.shown.lost(r)
		for {
			in, err := stream.Recv()
			if err != nil {
				return err
			}
			if err := r.hear(in); err != nil {
				return err
			}
			s.advance(in.GetTold())
		}
	})
	return nil
}

func (r *Registry) hear(in *registryv1.WatchResponse) error {
	if len(in.GetEvents()) > eventsOfMessage {
		return malformed("%d events in one message, at most %d", len(in.GetEvents()), eventsOfMessage)
	}
	events := make([]registry.Event, 0, len(in.GetEvents()))
	for _, told := range in.GetEvents() {
		e, err := serviceEventFromWire(told)
		if err != nil {
			return err
		}
		events = append(events, e)
	}
	return r.shown.apply(r, events)
}

// feed passes on what happens.
func (r *Registry) feed(s *session) error {
	stream, err := r.client.Feed(s.ctx)
	if err != nil {
		return fmt.Errorf("feed: %w", fromStatus(s.ctx, err))
	}
	r.box.Open()
	s.run("feed", func() error {
		return drain(s.ctx, r.box, func(p inbox.Parcel[membership.Event]) error {
			if out := r.parcel(p); out != nil {
				return stream.Send(out)
			}
			return nil
		})
	})
	return nil
}

// drain hands on what comes into a box until ctx ends.
func drain[Own any](ctx context.Context, box *inbox.Box[Own], give func(inbox.Parcel[Own]) error) error {
	for {
		select {
		case <-box.Ready():
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		for p, ok := box.Take(); ok; p, ok = box.Take() {
			if err := give(p); err != nil {
				return err
			}
		}
	}
}

// parcel is what came, as it travels; nil if it cannot.
func (r *Registry) parcel(p inbox.Parcel[membership.Event]) *registryv1.FeedRequest {
	switch {
	case p.Own != nil:
		return &registryv1.FeedRequest{Kind: registryv1.FeedRequest_MEMBER, Node: p.Own.Node.String(), Event: memberEventToWire(*p.Own)}
	case p.Input == nil:
		r.env.Log.Debug("frames dropped: a neighbour sends more than the plugin reads", "peer", p.TooFast)
		r.box.Renew(p.TooFast)
		return nil
	}
	kinds := map[membership.InputKind]registryv1.FeedRequest_Kind{
		membership.LinkUp: registryv1.FeedRequest_PEER_UP, membership.LinkDown: registryv1.FeedRequest_PEER_DOWN,
		membership.Frame: registryv1.FeedRequest_FRAME, membership.Broadcast: registryv1.FeedRequest_BROADCAST,
	}
	return &registryv1.FeedRequest{Kind: kinds[p.Input.Kind], Node: p.Input.Peer.Node.String(), Data: p.Input.Data}
}

// Input queues what happened; what the plugin does not read in time is dropped, of a
// neighbour's frames first.
func (r *Registry) Input(in registry.Input) {
	peer := membership.Peer{Node: in.Node}
	switch in.Kind {
	case registry.Member:
		r.box.Add(in.Event)
	case registry.PeerUp:
		r.box.Put(membership.Input{Kind: membership.LinkUp, Peer: peer})
	case registry.PeerDown:
		r.box.Put(membership.Input{Kind: membership.LinkDown, Peer: peer})
	case registry.Frame:
		r.box.Put(membership.Input{Kind: membership.Frame, Peer: peer, Data: in.Data})
	case registry.Broadcast:
		r.box.Put(membership.Input{Kind: membership.Broadcast, Peer: peer, Data: in.Data})
	}
}

// answer answers what only a registry may ask.
func (r *Registry) answer(q *pluginv1.Question, out *pluginv1.Answer) (later func(context.Context) error, err error) {
	switch question := q.GetQuestion().(type) {
	case *pluginv1.Question_Neighbours:
		for _, node := range r.env.Network.Neighbours() {
			out.Texts = append(out.Texts, node.String())
		}
	case *pluginv1.Question_Key:
		return nil, r.keyOf(question.Key.GetNode(), out)
	case *pluginv1.Question_Rtt:
		node, err := name.ParseNode(question.Rtt.GetNode())
		if err != nil {
			return nil, err
		}
		out.Rtt = durationpb.New(r.env.Network.RTT(node))
	default:
		return nil, plugin.ErrUnsupported
	}
	return nil, nil
}

func (r *Registry) keyOf(node string, out *pluginv1.Answer) error {
	parsed, err := name.ParseNode(node)
	if err != nil {
		return err
	}
	key, known := r.env.Network.Key(parsed)
	out.Data, out.Known = key[:], known
	return nil
}

// Put registers an entry, unless the policy of this node refuses it.
func (r *Registry) Put(ctx context.Context, entry registry.Entry) error {
	if err := r.env.Allowed(entry.Service, entry.Ref.Node); err != nil {
		return err
	}
	if err := boundMeta(entry.Meta); err != nil {
		return fmt.Errorf("service %s: metadata of %w", entry.Service, err)
	}
	in, err := r.client.Put(ctx, &registryv1.PutRequest{Entry: entryToWire(entry)})
	if err = called(ctx, err, in.GetError()); err != nil {
		return err
	}
	return r.await(ctx, in.GetTold())
}

// Remove takes it back.
func (r *Registry) Remove(ctx context.Context, service name.Service, ref name.Ref, reason string) error {
	in, err := r.client.Remove(ctx, &registryv1.RemoveRequest{Service: service.String(), Ref: refToWire(ref), Reason: text(reason)})
	if err = called(ctx, err, in.GetError()); err != nil {
		return err
	}
	return r.await(ctx, in.GetTold())
}

// Find asks the plugin to look further.
func (r *Registry) Find(ctx context.Context, service name.Service) error {
	in, err := r.client.Find(ctx, &registryv1.FindRequest{Service: service.String()})
	if err = called(ctx, err, in.GetError()); err != nil {
		return err
	}
	return r.await(ctx, in.GetTold())
}

// sync waits until all that the plugin has told is shown.
func (r *Registry) sync(ctx context.Context) error {
	in, err := r.client.Sync(ctx, &registryv1.SyncRequest{})
	if err = called(ctx, err, in.GetError()); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	return r.await(ctx, in.GetTold())
}

// Lookup reads the copy.
func (r *Registry) Lookup(service name.Service) []registry.Entry { return r.shown.Lookup(service) }

// List reads the copy.
func (r *Registry) List(prefix string) []registry.Count { return r.shown.List(prefix) }

// ServeRegistry offers the registry that a holder holds, which was made with the
// environment that lent gives.
func ServeRegistry(s grpc.ServiceRegistrar, held *Holder[registry.Plugin], lent *LentRegistry) {
	registryv1.RegisterRegistryServer(s, &registryServer{held: held, lent: lent})
}

// registryServer is the plugin half.
type registryServer struct {
	registryv1.UnimplementedRegistryServer

	held *Holder[registry.Plugin]
	lent *LentRegistry
}

func (s *registryServer) Put(ctx context.Context, in *registryv1.PutRequest) (*registryv1.PutResponse, error) {
	entry, err := entryFromWire(in.GetEntry())
	if err == nil {
		err = s.with(func(r registry.Plugin) error { return r.Put(ctx, entry) })
	}
	return &registryv1.PutResponse{Error: toWire(err), Told: s.lent.events.count()}, nil
}

func (s *registryServer) with(do func(registry.Plugin) error) error {
	held, err := s.held.Get()
	if err != nil {
		return err
	}
	return do(held)
}

func (s *registryServer) Remove(ctx context.Context, in *registryv1.RemoveRequest) (*registryv1.RemoveResponse, error) {
	ref, err := refFromWire(in.GetRef())
	var service name.Service
	if err = errors.Join(err, service.UnmarshalText([]byte(in.GetService()))); err == nil {
		err = s.with(func(r registry.Plugin) error { return r.Remove(ctx, service, ref, in.GetReason()) })
	}
	return &registryv1.RemoveResponse{Error: toWire(err), Told: s.lent.events.count()}, nil
}

func (s *registryServer) Find(ctx context.Context, in *registryv1.FindRequest) (*registryv1.FindResponse, error) {
	service, err := name.ParseService(in.GetService())
	if err == nil {
		err = s.with(func(r registry.Plugin) error {
			finder, ok := r.(registry.Finder)
			if !ok {
				return plugin.ErrUnsupported
			}
			return finder.Find(ctx, service)
		})
	}
	return &registryv1.FindResponse{Error: toWire(err), Told: s.lent.events.count()}, nil
}

func (s *registryServer) Sync(context.Context, *registryv1.SyncRequest) (*registryv1.SyncResponse, error) {
	return &registryv1.SyncResponse{Told: s.lent.events.count()}, nil
}

func (s *registryServer) Lend(stream registryv1.Registry_LendServer) error {
	return s.lent.serve(stream)
}

func (s *registryServer) Watch(_ *registryv1.WatchRequest, stream registryv1.Registry_WatchServer) error {
	return s.lent.events.watched(stream.Context(), stream.SendHeader, func() error {
		bytes := 0
		events, told := s.lent.events.take(func(at int, e *registry.Event) bool {
			bytes += sizeOfMeta(e.Entry.Meta)
			return at == 0 || at < eventsOfMessage && bytes <= bytesOfMessage
		})
		out := &registryv1.WatchResponse{Told: told}
		for _, e := range events {
			out.Events = append(out.Events, &registryv1.Event{Type: string(e.Type), Entry: entryToWire(e.Entry), Reason: text(e.Reason)})
		}
		return stream.Send(out)
	})
}

func (s *registryServer) Feed(stream registryv1.Registry_FeedServer) error {
	return fed(stream, func(in *registryv1.FeedRequest) error {
		input, err := s.input(in)
		if err != nil {
			return err
		}
		return s.with(func(r registry.Plugin) error { r.Input(input); return nil })
	})
}

func (s *registryServer) input(in *registryv1.FeedRequest) (out registry.Input, err error) {
	kinds := map[registryv1.FeedRequest_Kind]registry.InputKind{
		registryv1.FeedRequest_MEMBER: registry.Member, registryv1.FeedRequest_PEER_UP: registry.PeerUp,
		registryv1.FeedRequest_PEER_DOWN: registry.PeerDown, registryv1.FeedRequest_FRAME: registry.Frame,
		registryv1.FeedRequest_BROADCAST: registry.Broadcast,
	}
	out = registry.Input{Kind: kinds[in.GetKind()], Data: in.GetData()}
	if out.Node, err = name.ParseNode(in.GetNode()); err != nil {
		return out, err
	}
	if out.Kind == registry.Member {
		s.lent.keys.forget(out.Node)
		out.Event, err = memberEventFromWire(in.GetEvent())
	}
	return out, err
}
