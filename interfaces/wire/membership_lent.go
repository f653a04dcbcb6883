package wire

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/proto/pluginv1"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

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
