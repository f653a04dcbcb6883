package wire_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/proto/discoveryv1"
	"github.com/barrelp2p/barrel/interfaces/proto/pluginv1"
	"github.com/barrelp2p/barrel/interfaces/trust"
	"github.com/barrelp2p/barrel/interfaces/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// liar is the plugin half of a plugin that says what a test wants.
type liar struct {
	discoveryv1.UnimplementedDiscoveryServer

	lookup *discoveryv1.LookupResponse
	err    error
	pages  []*discoveryv1.ListResponse
	watch  []*discoveryv1.WatchResponse
}

func (l *liar) Lookup(context.Context, *discoveryv1.LookupRequest) (*discoveryv1.LookupResponse, error) {
	return l.lookup, l.err
}

func (l *liar) List(_ *discoveryv1.ListRequest, out discoveryv1.Discovery_ListServer) error {
	for _, page := range l.pages {
		if err := out.Send(page); err != nil {
			return err
		}
	}
	return nil
}

func (l *liar) Watch(_ *discoveryv1.WatchRequest, out discoveryv1.Discovery_WatchServer) error {
	for _, change := range l.watch {
		if err := out.Send(change); err != nil {
			return err
		}
	}
	return nil
}

func fixed() wire.Guest {
	return wire.Guest{
		Description: wire.Description{Kind: plugin.Discovery},
		Part:        func() (plugin.Part, error) { return nil, errors.New("nothing here") },
	}
}

func host(t *testing.T, l *liar) *wire.Discovery {
	t.Helper()
	conn, end, err := wire.InMemory(t.Context(), func(s grpc.ServiceRegistrar) {
		wire.Serve(s, fixed())
		discoveryv1.RegisterDiscoveryServer(s, l)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	return wire.NewDiscovery(conn)
}

func failing(kind pluginv1.Error_Kind, text string) *discoveryv1.LookupResponse {
	return &discoveryv1.LookupResponse{Error: &pluginv1.Error{Kind: kind, Text: text}}
}

// What a plugin answers is an answer or an error, and an error has a kind that callers
// know, whatever the plugin says.
func TestAnswersAreChecked(t *testing.T) {
	many := make([]string, 65)
	for i := range many {
		many[i] = fmt.Sprintf("10.0.0.1:%d", i+1)
	}
	tests := map[string]struct {
		liar liar
		want error
		text string
	}{
		"nothing at all":       {liar{lookup: &discoveryv1.LookupResponse{}}, wire.ErrMalformed, "neither"},
		"no address":           {liar{lookup: &discoveryv1.LookupResponse{Endpoints: []string{"nonsense"}}}, wire.ErrMalformed, "nonsense"},
		"one bad among good":   {liar{lookup: &discoveryv1.LookupResponse{Endpoints: []string{"h:1", "h:0"}}}, wire.ErrMalformed, "h:0"},
		"too many":             {liar{lookup: &discoveryv1.LookupResponse{Endpoints: many}}, wire.ErrMalformed, "65 endpoints"},
		"too large":            {liar{lookup: failing(1, strings.Repeat("x", wire.MaxMessage+1))}, wire.ErrMalformed, "larger than max"},
		"not found":            {liar{lookup: failing(pluginv1.Error_NOT_FOUND, "who?")}, discovery.ErrNotFound, "who?"},
		"not found, wordless":  {liar{lookup: failing(pluginv1.Error_NOT_FOUND, "")}, discovery.ErrNotFound, "node not found"},
		"timed out":            {liar{lookup: failing(pluginv1.Error_TIMEOUT, "slow")}, context.DeadlineExceeded, "slow"},
		"gone":                 {liar{lookup: failing(pluginv1.Error_GONE, "upstream")}, plugin.ErrGone, "upstream"},
		"unknown kind":         {liar{lookup: failing(999, "odd")}, nil, "odd"},
		"unknown and wordless": {liar{lookup: failing(0, "")}, nil, "without a text"},
		"an ordinary status":   {liar{err: status.Error(codes.Unknown, "Exception: boom")}, nil, "boom"},
		"not implemented":      {liar{err: status.Error(codes.Unimplemented, "")}, plugin.ErrUnsupported, ""},
		"unavailable":          {liar{err: status.Error(codes.Unavailable, "")}, plugin.ErrGone, ""},
		"terminal controls":    {liar{lookup: failing(1, "a\x1b[2J\nb\x00")}, nil, "a[2J b"},
		"long text":            {liar{lookup: failing(1, strings.Repeat("x", 100000))}, nil, "xxx..."},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			answer, err := host(t, &test.liar).Lookup(t.Context(), name.MustNode("a@h"))
			if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("%v, %v; want %v with %q", answer, err, test.want, test.text)
			}
			if test.want == nil && (errors.Is(err, discovery.ErrNotFound) || errors.Is(err, trust.ErrUntrusted)) {
				t.Errorf("%v has a kind that nobody gave it", err)
			}
			if err != nil && (len(err.Error()) > 5000 || strings.ContainsAny(err.Error(), "\x00\x1b\n")) {
				t.Errorf("text %q", err.Error())
			}
		})
	}
}

func TestANegativeTTLIsNone(t *testing.T) {
	l := &liar{lookup: &discoveryv1.LookupResponse{Endpoints: []string{"h:1"}, Ttl: durationpb.New(-time.Hour)}}
	answer, err := host(t, l).Lookup(t.Context(), name.MustNode("a@h"))
	if err != nil || answer.TTL != 0 {
		t.Errorf("%+v, %v", answer, err)
	}
}

func records(from, n int) []*discoveryv1.Record {
	out := make([]*discoveryv1.Record, n)
	for i := range out {
		out[i] = &discoveryv1.Record{Node: fmt.Sprintf("n%07d@h", from+i), Endpoints: []string{"h:1"}}
	}
	return out
}

func TestListsHaveAnEnd(t *testing.T) {
	var endless []*discoveryv1.ListResponse
	for i := range 201 {
		endless = append(endless, &discoveryv1.ListResponse{Records: records(i*500, 500)})
	}
	for what, pages := range map[string][]*discoveryv1.ListResponse{
		"endless": endless, "a large page": {{Records: records(0, 501)}}, "a bad name": {{Records: []*discoveryv1.Record{{Node: "x"}}}},
	} {
		if _, err := host(t, &liar{pages: pages}).List(t.Context()); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	listing, err := host(t, &liar{pages: []*discoveryv1.ListResponse{
		{Records: records(500, 500)}, {Records: records(0, 500)}, {Complete: true},
	}}).List(t.Context())
	sorted := slices.IsSortedFunc(listing.Records, func(a, b discovery.Record) int { return a.Node.Compare(b.Node) })
	if err != nil || len(listing.Records) != 1000 || !sorted || !listing.Complete {
		t.Errorf("%d records, sorted %v, complete %v, %v", len(listing.Records), sorted, listing.Complete, err)
	}
}

// A watch of a thousand changes that nobody reads costs the room of 64.
func TestAWatchThatNobodyReads(t *testing.T) {
	l := &liar{watch: []*discoveryv1.WatchResponse{{}}}
	for i := range 1000 {
		l.watch = append(l.watch, &discoveryv1.WatchResponse{Node: fmt.Sprintf("n%d@h", i)})
	}
	l.watch = append(l.watch, &discoveryv1.WatchResponse{Node: "no node at all"})
	changes, err := host(t, l).Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	anything := false
	for node := range changes {
		anything = anything || node.IsZero()
	}
	if !anything {
		t.Error("nothing said that anything may have changed")
	}
}

func TestNoWatch(t *testing.T) {
	for what, l := range map[string]*liar{
		"refused": {watch: []*discoveryv1.WatchResponse{{Error: &pluginv1.Error{Kind: pluginv1.Error_UNSUPPORTED}}}},
		"empty":   {},
	} {
		if _, err := host(t, l).Watch(t.Context()); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

func TestThePluginHalfChecksToo(t *testing.T) {
	conn, end, err := wire.InMemory(t.Context(), func(s grpc.ServiceRegistrar) {
		wire.Serve(s, fixed())
		wire.ServeDiscovery(s, &wire.Holder[discovery.Plugin]{})
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	client := discoveryv1.NewDiscoveryClient(conn)
	in, err := client.Lookup(t.Context(), &discoveryv1.LookupRequest{Node: "no node"})
	if err != nil || !strings.Contains(in.GetError().GetText(), "no @") {
		t.Errorf("%v, %v", in, err)
	}
	half := wire.NewDiscovery(conn)
	if _, err := half.Lookup(t.Context(), name.MustNode("a@h")); err == nil || !strings.Contains(err.Error(), "not configured yet") {
		t.Errorf("before Configure: %v", err)
	}
	for what, section := range map[string]map[string]any{"settings": {"a": 1}, "none": nil} {
		if found, err := half.Validate(t.Context(), section); err != nil || len(found) != 1 {
			t.Errorf("%s: %v, %v", what, found, err)
		}
	}
	if err := half.Start(t.Context()); err == nil || err.Error() != "nothing here" {
		t.Errorf("Start: %v", err)
	}
}
