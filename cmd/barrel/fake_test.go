package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// stillNode is a node of which everything is known and nothing changes: what commands
// print of it can be compared with a file.
type stillNode struct{}

var _ admin.Node = stillNode{}

func noon() time.Time { return time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC) }

func node(base string) name.Node { return name.MustNode(base + "@10.0.0.1") }

func (stillNode) Status() admin.Status {
	ok := func(plugin string) admin.Slot { return admin.Slot{Plugin: plugin, Health: "ok"} }
	return admin.Status{
		Node: node("a"), Cluster: "default", Version: "1.2.3", Address: name.MustAddress("10.0.0.1:9100"),
		Fingerprint: "3f", Incarnation: 1714564800000, Started: noon().Add(-90 * time.Minute), Ready: true,
		Slots: admin.Slots{
			Transport: ok("quic"), Trust: ok("tofu"), Membership: ok("full"), Registry: ok("memory"),
			Discovery: []admin.Slot{ok("static"), {Plugin: "consul", External: true, Health: "degraded", Detail: "restarting"}},
		},
		Members:  admin.MemberCounts{Alive: 2, Down: 1},
		View:     admin.View{Active: []name.Node{node("b")}},
		Links:    1,
		Services: 2,
		Warnings: []string{"contact seed1@10.0.0.9: nobody answers"},
	}
}

func (stillNode) Members() []admin.Member {
	return []admin.Member{
		{Node: node("a"), State: "alive", Incarnation: 7, Address: name.MustAddress("10.0.0.1:9100"), Since: noon().Add(-time.Hour)},
		{Node: node("b"), State: "alive", Incarnation: 8, Address: name.MustAddress("10.0.0.1:9101"), Neighbour: true, Since: noon().Add(-3 * time.Second)},
		{Node: node("c"), State: "down", Incarnation: 9},
	}
}

func (stillNode) View() admin.View {
	return admin.View{Active: []name.Node{node("b")}, Passive: []name.Node{node("c"), node("d")}}
}

func (stillNode) Links() []admin.Link {
	return []admin.Link{{
		Node: node("b"), Address: name.MustAddress("10.0.0.1:9101"), Local: name.MustAddress("10.0.0.9:9100"), Direction: "dialed",
		Age: admin.Duration(75 * time.Second), Idle: admin.Duration(250 * time.Millisecond), RTT: admin.Duration(812345),
		BytesSent: 512, BytesReceived: 5 << 20, Streams: 3, ActiveView: true,
	}}
}

func (stillNode) Services(string) []admin.Service {
	return []admin.Service{{Name: name.MustService("chat/general"), Instances: 2}, {Name: name.MustService("echo"), Instances: 1}}
}

func echo() admin.Instance {
	return admin.Instance{
		Name: name.MustService("echo"), Node: node("b"), Ref: name.Ref{Node: node("b"), Incarnation: 8, ID: 17},
		Meta: map[string]string{"zone": "x", "bad": "\x1b[31mred"}, Since: noon().Add(-time.Minute),
	}
}

func (stillNode) Lookup(service name.Service) []admin.Instance {
	if service.String() == "echo" {
		return []admin.Instance{echo()}
	}
	return nil
}

func (stillNode) Plugins() []admin.Plugin {
	return []admin.Plugin{
		{Kind: "transport", Name: "quic", Version: "1.2.3", Contract: "barrel.plugin.transport.v1", Health: "ok"},
		{Kind: "discovery", Name: "consul", External: true, Contract: "barrel.plugin.discovery.v1", Health: "ok", PID: 42, Restarts: 1},
	}
}

func (stillNode) Events(_ context.Context, _ admin.Watch, started func() error, emit func(admin.Event) error) error {
	if err := started(); err != nil {
		return err
	}
	for _, e := range []admin.Event{
		{Time: noon(), Kind: "member", Type: "up", Node: node("b")},
		{Time: noon(), Kind: "service", Type: "registered", Node: node("b"), Name: "echo", Extra: map[string]string{"ref": echo().Ref.String()}},
		{Time: noon(), Kind: "trust", Type: "refused", Node: node("x"), Reason: "untrusted key"},
	} {
		if err := emit(e); err != nil {
			return err
		}
	}
	return &admin.Error{Kind: admin.KindNoNode, Text: "the node is stopping"}
}

func (stillNode) Join(_ context.Context, through name.Node) error {
	if through.Base() == "strict" {
		return &admin.Error{Kind: admin.KindRefused, Text: fmt.Sprintf("join %s: untrusted key", through)}
	}
	return nil
}

func (stillNode) Leave(context.Context) error { return nil }

func (stillNode) Ping(ctx context.Context, to name.Node) (time.Duration, error) {
	if to.Base() == "silent" {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return 1234 * time.Microsecond, nil
}

func (stillNode) Discover(_ context.Context, of name.Node, _ bool) (admin.Discovery, error) {
	d := admin.Discovery{Node: of, Steps: []admin.DiscoveryStep{
		{Backend: "static", Outcome: "miss", Took: admin.Duration(12 * time.Microsecond)},
		{Backend: "dns", Outcome: "error", Error: "server failure", Took: admin.Duration(2 * time.Second)},
	}}
	if of.Base() != "nobody" {
		at := []name.Address{name.MustAddress("10.0.0.1:9101")}
		d.Answer = admin.DiscoveryAnswer{Backend: "file", Endpoints: at, Age: admin.Duration(3 * time.Second), Stale: true}
	}
	return d, nil
}

func (n stillNode) Whereis(_ context.Context, service name.Service, _ int) (admin.Instance, error) {
	if found := n.Lookup(service); len(found) > 0 {
		return found[0], nil
	}
	return admin.Instance{}, &admin.Error{Kind: admin.KindNotFound, Text: fmt.Sprintf("service %s: not found", service)}
}

func (stillNode) Doctor(context.Context, name.Node) []admin.Check {
	return []admin.Check{
		{Check: "port", Outcome: "ok", Fact: "10.0.0.1:9100 is bound"},
		{Check: "clock", Outcome: "fail", Fact: "31s behind b@10.0.0.1", Next: "start an NTP client"},
	}
}

func (stillNode) Reload(context.Context) ([]string, error) { return nil, errors.ErrUnsupported }

func (stillNode) Call(_ context.Context, target string, payload []byte) ([]byte, error) {
	if target != "echo" {
		return nil, &admin.Error{Kind: admin.KindNotFound, Text: fmt.Sprintf("service %s: not found", target)}
	}
	return payload, nil
}

func (n stillNode) Send(ctx context.Context, target string, payload []byte) error {
	_, err := n.Call(ctx, target, payload)
	return err
}

// Serve delivers one message and one call, and ends.
func (stillNode) Serve(ctx context.Context, service name.Service, meta map[string]string, started func(admin.Instance),
	handle func(context.Context, admin.Delivery) ([]byte, error),
) error {
	started(admin.Instance{Name: service, Node: node("a"), Ref: name.Ref{Node: node("a"), Incarnation: 7, ID: 1}, Meta: meta})
	answer, err := handle(ctx, admin.Delivery{Call: true, From: echo().Ref, Payload: []byte("hello\x07")})
	text := fmt.Sprintf("answer %q", answer)
	if err != nil {
		text = "error " + err.Error()
	}
	return &admin.Error{Kind: admin.KindFailed, Text: text}
}

func (stillNode) Keys() admin.Keys {
	return admin.Keys{Node: node("a"), Fingerprint: "3f", PublicKey: "9a"}
}

func (stillNode) Rotate(_ context.Context, what string) (admin.Rotation, error) {
	return admin.Rotation{What: what, Backup: "/data/keys/backups/20240501T120000Z", Fingerprint: "4e"}, nil
}

func (stillNode) Pins() ([]admin.Pin, error) {
	return []admin.Pin{{Node: node("b"), Fingerprint: "5d", PublicKey: "8b", Pinned: noon(), Source: "tofu"}}, nil
}

func (stillNode) AddPin(name.Node, [32]byte) error { return nil }

func (stillNode) RemovePin(of name.Node) error {
	return &admin.Error{Kind: admin.KindNotFound, Text: fmt.Sprintf("node %s: no pin", of)}
}

func (stillNode) TrustMode() string { return "tofu" }

func (stillNode) SetTrustMode(context.Context, string) error { return nil }

func (stillNode) Migrate(_ context.Context, to name.Node) (admin.Migration, error) {
	return admin.Migration{Node: to, From: name.MustAddress("10.0.0.1:9100"), To: name.MustAddress("10.0.0.1:40000")}, nil
}

func (stillNode) Streams() admin.Streams {
	return admin.Streams{Tags: []string{"dump"}, Refused: 1, Streams: []admin.Stream{{
		Node: node("b"), Tag: "dump", Direction: "opened", Since: noon(), BytesRead: 12, BytesWritten: 3 << 20,
	}}}
}

func (stillNode) OpenStream(context.Context, string, name.Node) (admin.ByteStream, error) {
	return nil, &admin.Error{Kind: admin.KindNotFound, Text: "nobody listens"}
}

func (stillNode) AcceptStream(context.Context, string, func() error) (admin.ByteStream, error) {
	return nil, &admin.Error{Kind: admin.KindUsage, Text: "tag is taken"}
}

func (stillNode) ReplacePlugin(_ context.Context, kind, name string) (admin.Plugin, error) {
	if name != "mine" {
		return admin.Plugin{}, &admin.Error{Kind: admin.KindNotFound, Text: "no such plugin"}
	}
	return admin.Plugin{Kind: kind, Name: name, External: true, PID: 7}, nil
}
