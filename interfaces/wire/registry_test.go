package wire_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/proto/pluginv1"
	"github.com/barrelp2p/barrel/interfaces/proto/registryv1"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/wire"
)

// part is a plugin of no kind.
type part struct{}

func (part) Start(context.Context) error { return nil }
func (part) Stop(context.Context) error  { return nil }

// teller tells what it was given, asks what it was given, and keeps the answers.
type teller struct {
	registryv1.UnimplementedRegistryServer

	tells   []*registryv1.WatchResponse
	asks    []*pluginv1.Question
	answers chan *pluginv1.Answer
	started sync.Once
	synced  chan struct{} // closed when it is started, as far as it can know
}

func (s *teller) Sync(context.Context, *registryv1.SyncRequest) (*registryv1.SyncResponse, error) {
	if s.synced != nil {
		s.started.Do(func() { close(s.synced) })
	}
	return &registryv1.SyncResponse{}, nil
}

func (*teller) Put(context.Context, *registryv1.PutRequest) (*registryv1.PutResponse, error) {
	return &registryv1.PutResponse{Told: 1 << 40}, nil // it never tells that much
}

func (s *teller) Watch(_ *registryv1.WatchRequest, out registryv1.Registry_WatchServer) error {
	if err := out.SendHeader(metadata.MD{}); err != nil {
		return err
	}
	for i, message := range s.tells {
		if i > 0 {
			<-s.synced
		}
		if err := out.Send(message); err != nil {
			return err
		}
	}
	<-out.Context().Done()
	return nil
}

func (*teller) Feed(in registryv1.Registry_FeedServer) error {
	<-in.Context().Done()
	return nil
}

func (s *teller) Lend(stream registryv1.Registry_LendServer) error {
	if err := stream.SendHeader(metadata.MD{}); err != nil {
		return err
	}
	for _, q := range s.asks {
		if err := stream.Send(q); err != nil {
			return err
		}
		answer, err := stream.Recv()
		if err != nil {
			return err
		}
		s.answers <- answer
	}
	<-stream.Context().Done()
	return nil
}

// quiet is a network that does what it is told and knows nobody.
type quiet struct{ registry.Network }

func (quiet) Send(name.Node, []byte) error { return registry.ErrNoLink }
func (quiet) Broadcast([]byte) error       { return nil }
func (quiet) Neighbours() []name.Node      { return []name.Node{name.MustNode("b@h")} }

func startTeller(t *testing.T, s *teller) (*wire.Registry, *wire.Shown) {
	t.Helper()
	conn, end, err := wire.InMemory(t.Context(), func(r grpc.ServiceRegistrar) {
		wire.Serve(r, wire.Fixed(plugin.Registry, registry.Contract, part{}))
		registryv1.RegisterRegistryServer(r, s)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	env := registry.Env{
		Env: plugin.Env{Node: name.MustNode("a@h"), Log: slog.New(slog.DiscardHandler)}, Network: quiet{},
		Emit: func(registry.Event) {},
		Policy: func(service name.Service, _ name.Node) error {
			if strings.HasPrefix(service.String(), "secret") {
				return errors.New("not here")
			}
			return nil
		},
	}
	shown := wire.NewShown(env)
	half := wire.NewRegistry(conn, env, shown)
	if err := half.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := half.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return half, shown
}

func told(kind, service, owner string, meta ...*registryv1.Pair) *registryv1.Event {
	return &registryv1.Event{Type: kind, Entry: &registryv1.Entry{Service: service, Ref: &registryv1.Ref{Node: owner, Incarnation: 1, Id: 1}, Meta: meta}}
}

// A registry that tells what cannot be is of no use any more, and what it told before
// stays.
func TestRegistryThatLies(t *testing.T) {
	large := &registryv1.Pair{Key: []byte("k"), Value: make([]byte, registry.MaxMeta)}
	flood := &registryv1.WatchResponse{}
	for range 501 {
		flood.Events = append(flood.Events, told("registered", "s", "b@h"))
	}
	tests := map[string]*registryv1.WatchResponse{
		"no type":        {Events: []*registryv1.Event{told("", "s", "b@h")}},
		"no service":     {Events: []*registryv1.Event{told("registered", "", "b@h")}},
		"bad service":    {Events: []*registryv1.Event{told("registered", "a b\x00", "b@h")}},
		"no owner":       {Events: []*registryv1.Event{told("registered", "s", "")}},
		"bad owner":      {Events: []*registryv1.Event{told("registered", "s", "b")}},
		"no entry":       {Events: []*registryv1.Event{{Type: "down"}}},
		"large metadata": {Events: []*registryv1.Event{told("registered", "s", "b@h", large)}},
		"large message":  flood,
	}
	for what, lie := range tests {
		t.Run(what, func(t *testing.T) {
			half, shown := startTeller(t, &teller{synced: make(chan struct{}), tells: []*registryv1.WatchResponse{
				{Events: []*registryv1.Event{told("registered", "true", "b@h")}, Told: 1}, lie,
			}})
			plugintest.Eventually(t, "the loss of faith", func() bool {
				_, err := half.Ask(t.Context())
				return errors.Is(err, wire.ErrMalformed)
			})
			if len(shown.Lookup(name.MustService("true"))) != 1 || len(shown.List("")) != 1 || shown.Stale() != 1 {
				t.Errorf("shown is %v, of which %d stale", shown.List(""), shown.Stale())
			}
		})
	}
}

// What the policy refuses is not shown, whatever the plugin says; and a write that is
// never told ends with its caller.
func TestRegistryAgainstThePolicy(t *testing.T) {
	half, shown := startTeller(t, &teller{tells: []*registryv1.WatchResponse{{Events: []*registryv1.Event{
		told("registered", "secret", "b@h"), told("registered", "open", "b@h"),
	}, Told: 2}}})
	plugintest.Eventually(t, "the open service", func() bool { return len(shown.Lookup(name.MustService("open"))) == 1 })
	if got := shown.List("secret"); len(got) != 0 {
		t.Errorf("shown is %v", got)
	}
	ref := name.Ref{Node: name.MustNode("a@h"), Incarnation: 1, ID: 1}
	if err := half.Put(t.Context(), registry.Entry{Service: name.MustService("secret"), Ref: ref}); !errors.Is(err, registry.ErrNotAllowed) {
		t.Errorf("Put against the policy: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := half.Put(ctx, registry.Entry{Service: name.MustService("open"), Ref: ref}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Put that is never told: %v", err)
	}
}

// The host answers what it is asked within its bounds, and nothing else.
func TestQuestionsOfARegistry(t *testing.T) {
	tests := map[string]struct {
		ask  *pluginv1.Question
		want *pluginv1.Answer
	}{
		"send": {
			&pluginv1.Question{Id: 1, Question: &pluginv1.Question_Send{Send: &pluginv1.SendFrame{Node: "b@h"}}},
			&pluginv1.Answer{Id: 1, Error: &pluginv1.Error{Kind: pluginv1.Error_NO_LINK, Text: "no link"}},
		},
		"large frame": {
			&pluginv1.Question{Id: 2, Question: &pluginv1.Question_Send{Send: &pluginv1.SendFrame{Node: "b@h", Frame: make([]byte, registry.MaxFrame+1)}}},
			&pluginv1.Answer{Id: 2, Error: &pluginv1.Error{Kind: pluginv1.Error_TOO_LARGE, Text: "too large"}},
		},
		"large broadcast": {
			&pluginv1.Question{Id: 3, Question: &pluginv1.Question_Broadcast{Broadcast: &pluginv1.BroadcastData{Data: make([]byte, registry.MaxBroadcast+1)}}},
			&pluginv1.Answer{Id: 3, Error: &pluginv1.Error{Kind: pluginv1.Error_TOO_LARGE, Text: "too large"}},
		},
		"large message to sign": {
			&pluginv1.Question{Id: 4, Question: &pluginv1.Question_Sign{Sign: &pluginv1.SignMessage{Message: make([]byte, 1<<20+1)}}},
			&pluginv1.Answer{Id: 4, Error: &pluginv1.Error{Kind: pluginv1.Error_TOO_LARGE, Text: "too large"}},
		},
		"neighbours": {
			&pluginv1.Question{Id: 5, Question: &pluginv1.Question_Neighbours{}},
			&pluginv1.Answer{Id: 5, Texts: []string{"b@h"}},
		},
		"what only a membership may": {
			&pluginv1.Question{Id: 6, Question: &pluginv1.Question_Disconnect{Disconnect: &pluginv1.DisconnectNode{Node: "b@h"}}},
			&pluginv1.Answer{Id: 6, Error: &pluginv1.Error{Kind: pluginv1.Error_UNSUPPORTED, Text: "not supported by this plugin"}},
		},
		"nothing": {
			&pluginv1.Question{Id: 7}, &pluginv1.Answer{Id: 7, Error: &pluginv1.Error{Kind: pluginv1.Error_UNSUPPORTED, Text: "not supported by this plugin"}},
		},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			s := &teller{asks: []*pluginv1.Question{test.ask}, answers: make(chan *pluginv1.Answer, 1)}
			startTeller(t, s)
			if got := <-s.answers; !proto.Equal(got, test.want) {
				t.Errorf("answer %v, want %v", got, test.want)
			}
		})
	}
}
