package external

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/proto/discoveryv1"
)

// What a plugin costs is compared with go-plugin as it is: its own Serve and its own
// client, with certificates as we have them, and nothing of ours on either side.

func bareHandshake() goplugin.HandshakeConfig {
	return goplugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: "BARE", MagicCookieValue: "bare"}
}

// bare is both halves of a plugin that answers a lookup.
type bare struct {
	goplugin.NetRPCUnsupportedPlugin
	discoveryv1.UnimplementedDiscoveryServer
}

func (b bare) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	discoveryv1.RegisterDiscoveryServer(s, b)
	return nil
}

func (bare) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return discoveryv1.NewDiscoveryClient(conn), nil
}

// Lookup answers what oddBackend does.
func (bare) Lookup(context.Context, *discoveryv1.LookupRequest) (*discoveryv1.LookupResponse, error) {
	return &discoveryv1.LookupResponse{Endpoints: []string{"10.0.0.1:9100"}, Ttl: durationpb.New(time.Minute)}, nil
}

func serveBare() {
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: bareHandshake(), Plugins: goplugin.PluginSet{"bare": bare{}}, GRPCServer: goplugin.DefaultGRPCServer,
		Logger: hclog.NewNullLogger(),
	})
	os.Exit(0)
}

// startBare is a client of go-plugin and its process, which ends with the test.
func startBare(t testing.TB) discoveryv1.DiscoveryClient {
	t.Helper()
	client := goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig: bareHandshake(), Plugins: goplugin.PluginSet{"bare": bare{}}, Cmd: exec.Command(executable(t), "bare"),
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC}, AutoMTLS: true, Logger: hclog.NewNullLogger(),
	})
	t.Cleanup(client.Kill)
	protocol, err := client.Client()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := protocol.Dispense("bare")
	if err != nil {
		t.Fatal(err)
	}
	half, _ := raw.(discoveryv1.DiscoveryClient)
	return half
}

// lookups are the same question by both roads.
func lookups(t testing.TB, facade *discoveryFacade, client discoveryv1.DiscoveryClient) (ours, theirs func()) {
	node := name.MustNode("a@h")
	ours = func() {
		if answer, err := facade.Lookup(t.Context(), node); err != nil || len(answer.Endpoints) != 1 {
			t.Fatal(answer, err)
		}
	}
	theirs = func() {
		if answer, err := client.Lookup(t.Context(), &discoveryv1.LookupRequest{Node: node.String()}); err != nil || len(answer.GetEndpoints()) != 1 {
			t.Fatal(answer, err)
		}
	}
	return ours, theirs
}
