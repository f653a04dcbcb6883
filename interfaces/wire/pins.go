package wire

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/proto/trustv1"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

const (
	maxPinQuestions = 64              // of a plugin, at a time
	pinPatience     = 5 * time.Second // of a plugin, for one answer
)

// lease is the host's side of the pins: it answers what the plugin asks, until end.
type lease struct {
	trust  *Trust
	stream trustv1.Trust_PinsClient
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	room   chan struct{}

	sending sync.Mutex
}

// lend opens the pins to the plugin, and returns when it has them.
func (t *Trust) lend(patience context.Context) (*lease, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer context.AfterFunc(patience, cancel)()
	stream, err := t.client.Pins(ctx)
	if err == nil {
		_, err = stream.Header() // the plugin has them now
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("pins: %w", fromStatus(patience, err))
	}
	l := &lease{trust: t, stream: stream, cancel: cancel, room: make(chan struct{}, maxPinQuestions)}
	l.tasks.Go(l.run)
	return l, nil
}

func (l *lease) end() {
	l.cancel()
	l.tasks.Wait()
}

func (l *lease) run() {
	defer l.cancel()
	for {
		question, err := l.stream.Recv()
		if err != nil {
			return
		}
		select {
		case l.room <- struct{}{}:
		case <-l.stream.Context().Done():
			return
		}
		l.tasks.Go(func() {
			defer func() { <-l.room }()
			l.send(l.answer(question))
		})
	}
}

// send drops what cannot be sent: the stream has ended, and the plugin knows.
func (l *lease) send(answer *trustv1.PinsRequest) {
	l.sending.Lock()
	defer l.sending.Unlock()
	_ = l.stream.Send(answer)
}

func (l *lease) answer(q *trustv1.PinsResponse) *trustv1.PinsRequest {
	out := &trustv1.PinsRequest{Id: q.GetId()}
	var err error
	switch question := q.GetQuestion().(type) {
	case *trustv1.PinsResponse_Lookup:
		err = l.lookup(question.Lookup.GetNode(), out)
	case *trustv1.PinsResponse_PinIfAbsent:
		err = l.pin(question.PinIfAbsent)
	default:
		err = plugin.ErrUnsupported
	}
	out.Error = toWire(err)
	return out
}

func (l *lease) lookup(node string, out *trustv1.PinsRequest) error {
	parsed, err := name.ParseNode(node)
	if err != nil {
		return err
	}
	pin, found, err := l.trust.pins.Lookup(parsed)
	if err != nil || !found {
		return err
	}
	out.Found = true
	out.Pin = &trustv1.Pin{Node: pin.Node.String(), Key: pin.Key[:], Pinned: timestamppb.New(pin.Pinned), Source: pin.Source}
	return nil
}

func (l *lease) pin(in *trustv1.PinIfAbsent) error {
	node, err := name.ParseNode(in.GetNode())
	if err != nil {
		return err
	}
	key, err := keyFromWire(in.GetKey())
	if err != nil {
		return err
	}
	if !l.trust.counts.has(ask{node, key}) {
		return fmt.Errorf("pin of %s: only the key of a claim that is being decided can be pinned", node)
	}
	return l.trust.pins.PinIfAbsent(node, key, text(in.GetSource()))
}

func keyFromWire(in []byte) (key trust.Key, err error) {
	if len(in) != len(key) {
		return key, malformed("a key of %d bytes, want %d", len(in), len(key))
	}
	return trust.Key(in), nil
}

// LentPins is the plugin's side of the pins: a trust.Pins that asks the host. Between
// Stop and Start, when the host does not lend them, every answer is an error.
type LentPins struct {
	room chan struct{}

	mu      sync.Mutex
	stream  trustv1.Trust_PinsServer // nil: not lent
	next    uint64
	waiting map[uint64]chan *trustv1.PinsRequest
}

var _ trust.Pins = (*LentPins)(nil)

// errNotLent: the host lends its pins from Start to Stop.
var errNotLent = errors.New("the host does not lend its pins now")

// NewLentPins returns pins that are not lent yet.
func NewLentPins() *LentPins {
	return &LentPins{room: make(chan struct{}, maxPinQuestions), waiting: map[uint64]chan *trustv1.PinsRequest{}}
}

// serve is one loan, until the host ends it. It takes the place of an earlier one.
func (p *LentPins) serve(stream trustv1.Trust_PinsServer) error {
	p.begin(stream)
	defer p.finish(stream)
	if err := stream.SendHeader(metadata.MD{}); err != nil {
		return err
	}
	for {
		answer, err := stream.Recv()
		if err != nil {
			return nil // the host has ended the loan, which is how it ends
		}
		p.mu.Lock()
		waiting := p.waiting[answer.GetId()]
		delete(p.waiting, answer.GetId())
		p.mu.Unlock()
		if waiting != nil {
			waiting <- answer
		}
	}
}

func (p *LentPins) begin(stream trustv1.Trust_PinsServer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stream = stream
}

func (p *LentPins) finish(stream trustv1.Trust_PinsServer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stream != stream {
		return
	}
	p.stream = nil
	for id, waiting := range p.waiting {
		close(waiting)
		delete(p.waiting, id)
	}
}

// Lookup asks the host.
func (p *LentPins) Lookup(node name.Node) (trust.Pin, bool, error) {
	answer, err := p.ask(&trustv1.PinsResponse{Question: &trustv1.PinsResponse_Lookup{Lookup: &trustv1.LookupPin{Node: node.String()}}})
	if err != nil || !answer.GetFound() {
		return trust.Pin{}, false, err
	}
	in := answer.GetPin()
	key, err := keyFromWire(in.GetKey())
	pinned := trust.Pin{Key: key, Pinned: timeFromWire(in.GetPinned()).UTC(), Source: in.GetSource()}
	if err = errors.Join(err, pinned.Node.UnmarshalText([]byte(in.GetNode()))); err != nil {
		return trust.Pin{}, false, err
	}
	return pinned, true, nil
}

// PinIfAbsent asks the host, which does it only for a claim that is being decided.
func (p *LentPins) PinIfAbsent(node name.Node, key trust.Key, source string) error {
	_, err := p.ask(&trustv1.PinsResponse{Question: &trustv1.PinsResponse_PinIfAbsent{
		PinIfAbsent: &trustv1.PinIfAbsent{Node: node.String(), Key: key[:], Source: source},
	}})
	return err
}

func (p *LentPins) ask(q *trustv1.PinsResponse) (*trustv1.PinsRequest, error) {
	patience := time.NewTimer(pinPatience)
	defer patience.Stop()
	select {
	case p.room <- struct{}{}:
		defer func() { <-p.room }()
	case <-patience.C:
		return nil, fmt.Errorf("pins: %d questions are open: %w", maxPinQuestions, context.DeadlineExceeded)
	}
	waiting, err := p.send(q)
	if err != nil {
		return nil, fmt.Errorf("pins: %w", err)
	}
	select {
	case answer, ok := <-waiting:
		if !ok {
			return nil, fmt.Errorf("pins: %w", errNotLent)
		}
		return answer, fromWire(answer.GetError())
	case <-patience.C:
		p.forget(q.GetId())
		return nil, fmt.Errorf("pins: the host does not answer: %w", context.DeadlineExceeded)
	}
}

func (p *LentPins) send(q *trustv1.PinsResponse) (<-chan *trustv1.PinsRequest, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stream == nil {
		return nil, errNotLent
	}
	p.next++
	q.Id = p.next
	waiting := make(chan *trustv1.PinsRequest, 1)
	p.waiting[q.Id] = waiting
	if err := p.stream.Send(q); err != nil {
		delete(p.waiting, q.Id)
		return nil, err
	}
	return waiting, nil
}

func (p *LentPins) forget(id uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waiting, id)
}
