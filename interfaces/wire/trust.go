package wire

import (
	"context"
	"errors"
	"sync"

	"google.golang.org/grpc"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/proto/trustv1"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// Trust is the host half of a trust plugin. Everything but a clear yes is an error.
type Trust struct {
	*Plugin

	client trustv1.TrustClient
	counts *openClaims
	pins   trust.Pins // nil: the plugin needs none

	mu    sync.Mutex
	lease *pinLoan // of the pins, while the plugin runs
}

var (
	_ trust.Plugin = (*Trust)(nil)
	_ trust.Vetter = (*Trust)(nil)
)

// NewTrust asks over a connection. pins are lent to the plugin from Start to Stop; nil
// for a plugin without the ability "pins".
func NewTrust(conn grpc.ClientConnInterface, pins trust.Pins) *Trust {
	return &Trust{
		Plugin: NewPlugin(conn), client: trustv1.NewTrustClient(conn), pins: pins,
		counts: &openClaims{open: map[ask]int{}},
	}
}

// Start lends the pins and starts the plugin.
func (t *Trust) Start(ctx context.Context) error {
	if t.pins != nil {
		lease, err := t.lend(ctx)
		if err != nil {
			return err
		}
		t.exchange(lease)
	}
	if err := t.Plugin.Start(ctx); err != nil {
		t.exchange(nil)
		return err
	}
	return nil
}

// Stop stops the plugin and takes the pins back.
func (t *Trust) Stop(ctx context.Context) error {
	err := t.Plugin.Stop(ctx)
	t.exchange(nil)
	return err
}

func (t *Trust) exchange(next *pinLoan) {
	t.mu.Lock()
	old := t.lease
	t.lease = next
	t.mu.Unlock()
	if old != nil {
		old.end()
	}
}

// Decide asks for a verdict.
func (t *Trust) Decide(ctx context.Context, claim trust.Claim) error {
	defer t.counts.begin(ask{claim.Node, claim.Key})()
	in, err := t.client.Decide(ctx, &trustv1.DecideRequest{
		Node: claim.Node.String(), Key: claim.Key[:], Cluster: claim.Cluster,
		Remote: claim.Remote.String(), Dialed: claim.Dialed,
	})
	switch err = called(ctx, err, in.GetError()); {
	case err != nil:
		return err
	case !in.GetAccepted():
		return malformed("neither accepted nor a reason why not")
	}
	return nil
}

// Vet asks about hearsay; see trust.Vetter. A plugin without the ability says
// plugin.ErrUnsupported.
func (t *Trust) Vet(claim trust.Claim) error {
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	return t.VetContext(ctx, claim)
}

// VetContext is Vet for as long as ctx allows.
func (t *Trust) VetContext(ctx context.Context, claim trust.Claim) error {
	in, err := t.client.Vet(ctx, &trustv1.VetRequest{Node: claim.Node.String(), Key: claim.Key[:], Cluster: claim.Cluster})
	switch err = called(ctx, err, in.GetError()); {
	case err != nil:
		return err
	case !in.GetBelieved():
		return malformed("neither believed nor a reason why not")
	}
	return nil
}

// ask is what a plugin may pin: the key of a claim that it is to decide right now.
type ask struct {
	node name.Node
	key  trust.Key
}

type openClaims struct {
	mu   sync.Mutex
	open map[ask]int
}

func (c *openClaims) begin(a ask) (end func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[a]++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.open[a]--; c.open[a] == 0 {
			delete(c.open, a)
		}
	}
}

func (c *openClaims) has(a ask) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open[a] > 0
}

// ServeTrust offers the plugin that a holder holds, and lends it pins.
func ServeTrust(s grpc.ServiceRegistrar, decider *Holder[trust.Plugin], pins *LentPins) {
	trustv1.RegisterTrustServer(s, &trustServer{decider: decider, pins: pins})
}

// trustServer is the plugin half.
type trustServer struct {
	trustv1.UnimplementedTrustServer

	decider *Holder[trust.Plugin]
	pins    *LentPins
}

func (s *trustServer) Decide(ctx context.Context, in *trustv1.DecideRequest) (*trustv1.DecideResponse, error) {
	err := s.decide(ctx, in)
	return &trustv1.DecideResponse{Accepted: err == nil, Error: toWire(err)}, nil
}

func (s *trustServer) decide(ctx context.Context, in *trustv1.DecideRequest) error {
	decider, err := s.decider.Get()
	if err != nil {
		return err
	}
	claim, err := claimFromWire(in.GetNode(), in.GetKey(), in.GetRemote())
	if err != nil {
		return err
	}
	claim.Cluster, claim.Dialed = in.GetCluster(), in.GetDialed()
	return decider.Decide(ctx, claim)
}

func claimFromWire(node string, key []byte, remote string) (claim trust.Claim, err error) {
	var whole trust.Key
	copied := copy(whole[:], key)
	claim.Key = whole
	err = errors.Join(claim.Node.UnmarshalText([]byte(node)), claim.Remote.UnmarshalText([]byte(remote)))
	if err != nil || copied != len(key) || copied != len(whole) {
		return claim, malformed("a claim of %d key bytes, by %q", len(key), text(node))
	}
	return claim, nil
}

func (s *trustServer) Vet(_ context.Context, in *trustv1.VetRequest) (*trustv1.VetResponse, error) {
	err := s.vet(in)
	return &trustv1.VetResponse{Believed: err == nil, Error: toWire(err)}, nil
}

func (s *trustServer) vet(in *trustv1.VetRequest) error {
	decider, err := s.decider.Get()
	if err != nil {
		return err
	}
	vetter, ok := decider.(trust.Vetter)
	if !ok {
		return plugin.ErrUnsupported
	}
	claim, err := claimFromWire(in.GetNode(), in.GetKey(), "")
	if err != nil {
		return err
	}
	claim.Cluster = in.GetCluster()
	return vetter.Vet(claim)
}

func (s *trustServer) Pins(stream trustv1.Trust_PinsServer) error { return s.pins.serve(stream) }
