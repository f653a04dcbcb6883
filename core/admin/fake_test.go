package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// fakeNode is a node that keeps everything in memory: its services really receive
// what is sent to them, its pins are really pinned.
type fakeNode struct {
	mu       sync.Mutex
	services map[name.Service]*fakeService
	pins     map[name.Node][32]byte
	mode     string
	peers    map[name.Node]bool
	left     bool
	events   chan Event
}

type fakeService struct {
	instance Instance
	handle   func(context.Context, Delivery) ([]byte, error)
}

var _ Node = (*fakeNode)(nil)

func newFakeNode() *fakeNode {
	return &fakeNode{
		services: map[name.Service]*fakeService{}, pins: map[name.Node][32]byte{}, mode: "tofu",
		peers: map[name.Node]bool{}, events: make(chan Event),
	}
}

func self() name.Node { return name.MustNode("a@127.0.0.1") }

func (f *fakeNode) Status() Status {
	return Status{Node: self(), Cluster: "default", Address: name.MustAddress("127.0.0.1:9100"), Ready: true,
		Started: time.Date(2024, 5, 1, 14, 0, 0, 0, time.FixedZone("CEST", 7200))}
}

func (f *fakeNode) Members() []Member { return nil }
func (f *fakeNode) View() View        { return View{} }
func (f *fakeNode) Links() []Link     { return nil }
func (f *fakeNode) Plugins() []Plugin { return nil }

func (f *fakeNode) Services(prefix string) []Service {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []Service
	for s := range f.services {
		if strings.HasPrefix(s.String(), prefix) {
			out = append(out, Service{Name: s, Instances: 1})
		}
	}
	slices.SortFunc(out, func(a, b Service) int { return a.Name.Compare(b.Name) })
	return out
}

func (f *fakeNode) Lookup(service name.Service) []Instance {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s, ok := f.services[service]; ok {
		return []Instance{s.instance}
	}
	return nil
}

func (f *fakeNode) Events(ctx context.Context, watch Watch, started func() error, emit func(Event) error) error {
	if err := started(); err != nil {
		return err
	}
	if watch.Initial {
		if err := emit(Event{Kind: "member", Type: "up", Extra: map[string]string{"initial": "true"}}); err != nil {
			return err
		}
	}
	for {
		select {
		case e := <-f.events:
			if len(watch.Kinds) > 0 && !slices.Contains(watch.Kinds, e.Kind) {
				continue
			}
			if err := emit(e); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *fakeNode) Join(_ context.Context, through name.Node) error {
	if through.Base() == "stranger" {
		return fmt.Errorf("join %s: %w", through, &Error{Kind: KindRefused, Text: "untrusted key"})
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.peers[through], f.left = true, false
	return nil
}

func (f *fakeNode) Leave(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left = true
	return nil
}

func (f *fakeNode) Ping(ctx context.Context, node name.Node) (time.Duration, error) {
	switch node.Base() {
	case "silent":
		<-ctx.Done()
		return 0, fmt.Errorf("node %s: no answer: %w", node, ctx.Err())
	case "broken":
		panic("boom")
	}
	return 1500 * time.Microsecond, nil
}

func (f *fakeNode) Discover(_ context.Context, node name.Node, _ bool) (Discovery, error) {
	return Discovery{Node: node, Steps: []DiscoveryStep{{Backend: "static", Outcome: "miss"}}}, nil
}

func (f *fakeNode) Whereis(_ context.Context, service name.Service, _ int) (Instance, error) {
	if found := f.Lookup(service); len(found) > 0 {
		return found[0], nil
	}
	return Instance{}, &Error{Kind: KindNotFound, Text: fmt.Sprintf("service %s: not found", service)}
}

func (f *fakeNode) Doctor(context.Context, name.Node) []Check { return nil }

func (f *fakeNode) Reload(context.Context) ([]string, error) { return nil, nil }

func (f *fakeNode) deliver(ctx context.Context, target string, d Delivery) ([]byte, error) {
	service, err := name.ParseService(target)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	s, ok := f.services[service]
	f.mu.Unlock()
	if !ok {
		return nil, &Error{Kind: KindNotFound, Text: fmt.Sprintf("service %s: not found", service)}
	}
	return s.handle(ctx, d)
}

func (f *fakeNode) Call(ctx context.Context, target string, payload []byte) ([]byte, error) {
	return f.deliver(ctx, target, Delivery{Call: true, Payload: payload})
}

func (f *fakeNode) Send(ctx context.Context, target string, payload []byte) error {
	_, err := f.deliver(ctx, target, Delivery{Payload: payload})
	return err
}

func (f *fakeNode) Serve(ctx context.Context, service name.Service, meta map[string]string, started func(Instance),
	handle func(context.Context, Delivery) ([]byte, error),
) error {
	s := &fakeService{handle: handle, instance: Instance{
		Name: service, Node: self(), Ref: name.Ref{Node: self(), Incarnation: 1, ID: 1}, Meta: meta, Local: true,
	}}
	f.mu.Lock()
	if f.services[service] != nil {
		f.mu.Unlock()
		return &Error{Kind: KindUsage, Text: fmt.Sprintf("service %s: registered already", service)}
	}
	f.services[service] = s
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.services, service)
	}()
	if service.String() == "panics" {
		panic("boom")
	}
	started(s.instance)
	<-ctx.Done()
	return ctx.Err()
}

func (f *fakeNode) Keys() Keys { return Keys{Node: self(), Fingerprint: "f", PublicKey: "k"} }

func (f *fakeNode) Rotate(_ context.Context, what string) (Rotation, error) {
	return Rotation{What: what, RestartRequired: what == "identity"}, nil
}

func (f *fakeNode) Pins() ([]Pin, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []Pin
	for node, key := range f.pins {
		out = append(out, Pin{Node: node, PublicKey: fmt.Sprintf("%x", key), Source: "operator"})
	}
	return out, nil
}

func (f *fakeNode) AddPin(node name.Node, key [32]byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pins[node] = key
	return nil
}

func (f *fakeNode) RemovePin(node name.Node) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.pins[node]; !ok {
		return &Error{Kind: KindNotFound, Text: fmt.Sprintf("node %s: no pin", node)}
	}
	delete(f.pins, node)
	return nil
}

func (f *fakeNode) TrustMode() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mode
}

func (f *fakeNode) SetTrustMode(_ context.Context, mode string) error {
	if mode != "tofu" && mode != "strict" {
		return errors.New("no such mode")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mode = mode
	return nil
}

func (f *fakeNode) Migrate(_ context.Context, node name.Node) (Migration, error) {
	if node.Base() == "far" {
		return Migration{}, &Error{Kind: KindNotFound, Text: "no link to " + node.String()}
	}
	return Migration{Node: node, Redialed: true}, nil
}

func (f *fakeNode) Streams() Streams { return Streams{Refused: 3} }

// fakeStream answers with what it got, and an error at the end for the tag "broken", at
// once for "refused". For "ended" there is no answer, and for "huge" more than is read
// before somebody reads it.
type fakeStream struct {
	*io.PipeReader
	*io.PipeWriter
	tag string
}

func newFakeStream(tag string) *fakeStream {
	r, w := io.Pipe()
	return &fakeStream{r, w, tag}
}

// WriteTo is how a stream is copied.
func (s *fakeStream) WriteTo(w io.Writer) (int64, error) {
	if s.tag == "huge" {
		n, err := w.Write(make([]byte, MaxPayload))
		return int64(n), err
	}
	return io.Copy(w, s.PipeReader)
}

func (s *fakeStream) Close() error         { return errors.Join(s.PipeReader.Close(), s.PipeWriter.Close()) }
func (s *fakeStream) RemoteAddr() net.Addr { return nil }

func (s *fakeStream) CloseWrite() error {
	if s.tag == "broken" {
		return s.PipeWriter.CloseWithError(&Error{Kind: KindNotFound, Text: "nobody listens"})
	}
	return s.PipeWriter.Close()
}

func (f *fakeNode) OpenStream(_ context.Context, tag string, _ name.Node) (ByteStream, error) {
	if tag == "" {
		return nil, &Error{Kind: KindUsage, Text: "tag of 0 bytes"}
	}
	s := newFakeStream(tag)
	if tag == "ended" {
		_ = s.PipeWriter.Close()
	}
	if tag == "refused" {
		_ = s.PipeWriter.CloseWithError(&Error{Kind: KindNotFound, Text: "nobody listens"})
	}
	return s, nil
}

func (f *fakeNode) AcceptStream(ctx context.Context, tag string, listening func() error) (ByteStream, error) {
	if err := listening(); err != nil {
		return nil, err
	}
	if tag == "never" {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return newFakeStream(tag), nil
}

func (f *fakeNode) ReplacePlugin(_ context.Context, kind, name string) (Plugin, error) {
	if name != "mine" {
		return Plugin{}, &Error{Kind: KindNotFound, Text: "no such plugin"}
	}
	return Plugin{Kind: kind, Name: name, External: true, PID: 7}, nil
}
