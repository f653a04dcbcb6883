package wire

import (
	"context"
	"errors"
	"fmt"
	"time"

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

// pinLoan is the host's side of the pins.
type pinLoan = loan[trustv1.PinsRequest, trustv1.PinsResponse]

// lend opens the pins to the plugin, and returns when it has them.
func (t *Trust) lend(patience context.Context) (*pinLoan, error) {
	l, err := lend(patience, maxPinQuestions, t.client.Pins, func(q *trustv1.PinsResponse) (*trustv1.PinsRequest, func(context.Context) *trustv1.PinsRequest) {
		return nil, func(context.Context) *trustv1.PinsRequest { return t.answer(q) }
	})
	if err != nil {
		return nil, fmt.Errorf("pins: %w", err)
	}
	return l, nil
}

func (t *Trust) answer(q *trustv1.PinsResponse) *trustv1.PinsRequest {
	out := &trustv1.PinsRequest{Id: q.GetId()}
	var err error
	switch question := q.GetQuestion().(type) {
	case *trustv1.PinsResponse_Lookup:
		err = t.lookup(question.Lookup.GetNode(), out)
	case *trustv1.PinsResponse_PinIfAbsent:
		err = t.pin(question.PinIfAbsent)
	default:
		err = plugin.ErrUnsupported
	}
	out.Error = toWire(err)
	return out
}

func (t *Trust) lookup(node string, out *trustv1.PinsRequest) error {
	parsed, err := name.ParseNode(node)
	if err != nil {
		return err
	}
	pin, found, err := t.pins.Lookup(parsed)
	if err != nil || !found {
		return err
	}
	out.Found = true
	out.Pin = &trustv1.Pin{Node: pin.Node.String(), Key: pin.Key[:], Pinned: timestamppb.New(pin.Pinned), Source: pin.Source}
	return nil
}

func (t *Trust) pin(in *trustv1.PinIfAbsent) error {
	node, err := name.ParseNode(in.GetNode())
	if err != nil {
		return err
	}
	key, err := keyFromWire(in.GetKey())
	if err != nil {
		return err
	}
	if !t.counts.has(ask{node, key}) {
		return fmt.Errorf("pin of %s: only the key of a claim that is being decided can be pinned", node)
	}
	return t.pins.PinIfAbsent(node, key, text(in.GetSource()))
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
	*asking[trustv1.PinsRequest, trustv1.PinsResponse]
}

var _ trust.Pins = (*LentPins)(nil)

// NewLentPins returns pins that are not lent yet.
func NewLentPins() *LentPins {
	return &LentPins{newAsking("pins", maxPinQuestions, (*trustv1.PinsRequest).GetId, func(q *trustv1.PinsResponse, id uint64) { q.Id = id })}
}

// Lookup asks the host.
func (p *LentPins) Lookup(node name.Node) (trust.Pin, bool, error) {
	answer, err := p.question(&trustv1.PinsResponse{Question: &trustv1.PinsResponse_Lookup{Lookup: &trustv1.LookupPin{Node: node.String()}}})
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
	_, err := p.question(&trustv1.PinsResponse{Question: &trustv1.PinsResponse_PinIfAbsent{
		PinIfAbsent: &trustv1.PinIfAbsent{Node: node.String(), Key: key[:], Source: source},
	}})
	return err
}

func (p *LentPins) question(q *trustv1.PinsResponse) (*trustv1.PinsRequest, error) {
	ctx, cancel := context.WithTimeout(context.Background(), pinPatience)
	defer cancel()
	answer, err := p.ask(ctx, q)
	if err != nil {
		return nil, err
	}
	return answer, fromWire(answer.GetError())
}
