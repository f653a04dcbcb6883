package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/proto/discoveryv1"
)

// The bounds of the discovery contract on the wire.
const (
	maxEndpoints = 64      // of one answer or record
	pageSize     = 500     // records of one page of a list
	maxRecords   = 100_000 // of one list
)

// Discovery is the host half of a discovery backend: the contract with all its optional
// abilities, of which those that the plugin lacks say plugin.ErrUnsupported.
type Discovery struct {
	*Plugin

	client discoveryv1.DiscoveryClient
}

var (
	_ discovery.Plugin    = (*Discovery)(nil)
	_ discovery.Publisher = (*Discovery)(nil)
	_ discovery.Lister    = (*Discovery)(nil)
	_ discovery.Watcher   = (*Discovery)(nil)
)

// NewDiscovery asks over a connection.
func NewDiscovery(conn grpc.ClientConnInterface) *Discovery {
	return &Discovery{Plugin: NewPlugin(conn), client: discoveryv1.NewDiscoveryClient(conn)}
}

// Lookup asks where node can be dialed.
func (d *Discovery) Lookup(ctx context.Context, node name.Node) (discovery.Answer, error) {
	in, err := d.client.Lookup(ctx, &discoveryv1.LookupRequest{Node: node.String()})
	if err = called(ctx, err, in.GetError()); err != nil {
		return discovery.Answer{}, err
	}
	endpoints, err := endpointsFromWire(in.GetEndpoints())
	if err != nil {
		return discovery.Answer{}, err
	}
	if len(endpoints) == 0 {
		return discovery.Answer{}, malformed("neither endpoints nor a reason why there are none")
	}
	answer := discovery.Answer{Endpoints: endpoints, AsOf: timeFromWire(in.GetAsOf())}
	if in.GetTtl().IsValid() {
		answer.TTL = max(0, in.GetTtl().AsDuration())
	}
	return answer, nil
}

// Publish passes a record on.
func (d *Discovery) Publish(ctx context.Context, record discovery.Record) error {
	in, err := d.client.Publish(ctx, &discoveryv1.PublishRequest{Record: recordToWire(record)})
	return called(ctx, err, in.GetError())
}

// Withdraw removes it.
func (d *Discovery) Withdraw(ctx context.Context, node name.Node) error {
	in, err := d.client.Withdraw(ctx, &discoveryv1.WithdrawRequest{Node: node.String()})
	return called(ctx, err, in.GetError())
}

// List reads all pages. A list that is longer than the contract allows is an error and
// not half a list.
func (d *Discovery) List(ctx context.Context) (discovery.Listing, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pages, err := d.client.List(ctx, &discoveryv1.ListRequest{})
	if err != nil {
		return discovery.Listing{}, fromStatus(ctx, err)
	}
	listing := discovery.Listing{Records: []discovery.Record{}}
	for {
		page, err := pages.Recv()
		if errors.Is(err, io.EOF) {
			slices.SortFunc(listing.Records, func(a, b discovery.Record) int { return a.Node.Compare(b.Node) })
			return listing, nil
		}
		if err = called(ctx, err, page.GetError()); err != nil {
			return discovery.Listing{}, err
		}
		if err := readPage(&listing, page); err != nil {
			return discovery.Listing{}, err
		}
	}
}

func readPage(listing *discovery.Listing, page *discoveryv1.ListResponse) error {
	if len(page.GetRecords()) > pageSize || len(listing.Records)+len(page.GetRecords()) > maxRecords {
		return malformed("a list of more than %d records, or a page of more than %d", maxRecords, pageSize)
	}
	for _, in := range page.GetRecords() {
		record, err := recordFromWire(in)
		if err != nil {
			return err
		}
		listing.Records = append(listing.Records, record)
	}
	listing.Complete, listing.AsOf = page.GetComplete(), timeFromWire(page.GetAsOf())
	return nil
}

// Watch tells of changes until ctx ends, the backend stops, or the plugin is gone.
func (d *Discovery) Watch(ctx context.Context) (<-chan name.Node, error) {
	ctx, cancel := context.WithCancel(ctx)
	changes, err := d.client.Watch(ctx, &discoveryv1.WatchRequest{})
	if err == nil {
		var first *discoveryv1.WatchResponse
		first, err = changes.Recv()
		err = called(ctx, err, first.GetError())
	} else {
		err = fromStatus(ctx, err)
	}
	if err != nil {
		cancel()
		if errors.Is(err, io.EOF) {
			err = malformed("a watch that ended before it began")
		}
		return nil, err
	}
	mail := newMail()
	go func() {
		defer mail.end()
		for {
			change, err := changes.Recv()
			if err != nil || change.GetError() != nil {
				return
			}
			node, err := name.ParseNode(change.GetNode())
			if err != nil {
				node = name.Node{} // it names nobody, so anything may have changed
			}
			mail.put(node)
		}
	}()
	return mail.deliver(ctx, cancel), nil
}

func endpointsFromWire(in []string) ([]name.Address, error) {
	if len(in) > maxEndpoints {
		return nil, malformed("%d endpoints, at most %d", len(in), maxEndpoints)
	}
	out := make([]name.Address, len(in))
	for i, s := range in {
		address, err := name.ParseAddress(s)
		if err != nil {
			return nil, malformed("%s", text(err.Error()))
		}
		out[i] = address
	}
	return out, nil
}

func endpointsToWire(in []name.Address) []string {
	out := make([]string, len(in))
	for i, address := range in {
		out[i] = address.String()
	}
	return out
}

func timeFromWire(in *timestamppb.Timestamp) time.Time {
	if !in.IsValid() {
		return time.Time{}
	}
	return in.AsTime()
}

func timeToWire(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func recordToWire(r discovery.Record) *discoveryv1.Record {
	return &discoveryv1.Record{
		Node: r.Node.String(), Endpoints: endpointsToWire(r.Endpoints),
		Incarnation: r.Incarnation, Written: timeToWire(r.Written),
	}
}

func recordFromWire(in *discoveryv1.Record) (discovery.Record, error) {
	node, err := name.ParseNode(in.GetNode())
	if err != nil {
		return discovery.Record{}, malformed("%s", text(err.Error()))
	}
	endpoints, err := endpointsFromWire(in.GetEndpoints())
	if err != nil {
		return discovery.Record{}, err
	}
	return discovery.Record{
		Node: node, Endpoints: endpoints, Incarnation: in.GetIncarnation(), Written: timeFromWire(in.GetWritten()),
	}, nil
}

// ServeDiscovery offers the backend that a holder holds.
func ServeDiscovery(s grpc.ServiceRegistrar, backend *Holder[discovery.Plugin]) {
	discoveryv1.RegisterDiscoveryServer(s, &discoveryServer{backend: backend})
}

// discoveryServer is the plugin half.
type discoveryServer struct {
	discoveryv1.UnimplementedDiscoveryServer

	backend *Holder[discovery.Plugin]
}

// ability is the backend, if it is of the type T.
func ability[T any](s *discoveryServer) (T, error) {
	var none T
	backend, err := s.backend.Get()
	if err != nil {
		return none, err
	}
	able, ok := backend.(T)
	if !ok {
		return none, plugin.ErrUnsupported
	}
	return able, nil
}

func (s *discoveryServer) Lookup(ctx context.Context, in *discoveryv1.LookupRequest) (*discoveryv1.LookupResponse, error) {
	answer, err := s.lookup(ctx, in.GetNode())
	if err != nil {
		return &discoveryv1.LookupResponse{Error: toWire(err)}, nil
	}
	out := &discoveryv1.LookupResponse{Endpoints: endpointsToWire(answer.Endpoints), AsOf: timeToWire(answer.AsOf)}
	if answer.TTL != 0 {
		out.Ttl = durationpb.New(answer.TTL)
	}
	return out, nil
}

func (s *discoveryServer) lookup(ctx context.Context, node string) (discovery.Answer, error) {
	parsed, err := name.ParseNode(node)
	if err != nil {
		return discovery.Answer{}, err
	}
	backend, err := s.backend.Get()
	if err != nil {
		return discovery.Answer{}, err
	}
	return backend.Lookup(ctx, parsed)
}

func (s *discoveryServer) Publish(ctx context.Context, in *discoveryv1.PublishRequest) (*discoveryv1.PublishResponse, error) {
	publisher, err := ability[discovery.Publisher](s)
	if err != nil {
		return &discoveryv1.PublishResponse{Error: toWire(err)}, nil
	}
	record, err := recordFromWire(in.GetRecord())
	if err == nil {
		err = publisher.Publish(ctx, record)
	}
	return &discoveryv1.PublishResponse{Error: toWire(err)}, nil
}

func (s *discoveryServer) Withdraw(ctx context.Context, in *discoveryv1.WithdrawRequest) (*discoveryv1.WithdrawResponse, error) {
	publisher, err := ability[discovery.Publisher](s)
	if err != nil {
		return &discoveryv1.WithdrawResponse{Error: toWire(err)}, nil
	}
	node, err := name.ParseNode(in.GetNode())
	if err == nil {
		err = publisher.Withdraw(ctx, node)
	}
	return &discoveryv1.WithdrawResponse{Error: toWire(err)}, nil
}

func (s *discoveryServer) List(_ *discoveryv1.ListRequest, pages discoveryv1.Discovery_ListServer) error {
	lister, err := ability[discovery.Lister](s)
	var listing discovery.Listing
	if err == nil {
		listing, err = lister.List(pages.Context())
	}
	if err == nil && len(listing.Records) > maxRecords {
		err = fmt.Errorf("%d records, at most %d can be listed", len(listing.Records), maxRecords)
	}
	if err != nil {
		return pages.Send(&discoveryv1.ListResponse{Error: toWire(err)})
	}
	for chunk := range slices.Chunk(listing.Records, pageSize) {
		page := &discoveryv1.ListResponse{}
		for _, r := range chunk {
			page.Records = append(page.Records, recordToWire(r))
		}
		if err := pages.Send(page); err != nil {
			return err
		}
	}
	return pages.Send(&discoveryv1.ListResponse{Complete: listing.Complete, AsOf: timeToWire(listing.AsOf)})
}

func (s *discoveryServer) Watch(_ *discoveryv1.WatchRequest, out discoveryv1.Discovery_WatchServer) error {
	watcher, err := ability[discovery.Watcher](s)
	var changes <-chan name.Node
	if err == nil {
		changes, err = watcher.Watch(out.Context())
	}
	if err != nil {
		return out.Send(&discoveryv1.WatchResponse{Error: toWire(err)})
	}
	if err := out.Send(&discoveryv1.WatchResponse{}); err != nil {
		return err
	}
	for node := range changes {
		if err := out.Send(&discoveryv1.WatchResponse{Node: node.String()}); err != nil {
			return err
		}
	}
	return nil
}
