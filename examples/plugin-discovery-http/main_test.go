package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
)

// inventory is a web server with a document.
type inventory struct {
	mu      sync.Mutex
	nodes   map[name.Node][]name.Address
	version int
	status  int
	full    int // documents sent
	unread  int // times that nothing had changed
	token   string
}

func (i *inventory) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	etag := fmt.Sprintf(`"%d"`, i.version)
	i.token = r.Header.Get("Authorization")
	switch {
	case i.status != 0:
		http.Error(w, "no", i.status)
	case r.Header.Get("If-None-Match") == etag:
		i.unread++
		w.WriteHeader(http.StatusNotModified)
	default:
		i.full++
		w.Header().Set("ETag", etag)
		_ = json.NewEncoder(w).Encode(map[string]any{"nodes": i.nodes})
	}
}

func (i *inventory) set(change func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change()
	i.version++
}

func serve(t plugintest.T, nodes map[name.Node][]name.Address) (*inventory, string) {
	t.Helper()
	i := &inventory{nodes: maps.Clone(nodes)}
	server := httptest.NewServer(i)
	t.Cleanup(server.Close)
	return i, server.URL
}

func create(t plugintest.T, env plugin.Env, url string) *backend {
	t.Helper()
	s := defaults()
	s.URL, s.Poll, s.Token = url, 20*time.Millisecond, "t0ken"
	p, err := Factory().New(env, s)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return p.(*backend)
}

func TestConformance(t *testing.T) {
	servers := map[string]*inventory{} // by the data directory of the test
	var mu sync.Mutex
	plugintest.Discovery(t, plugintest.DiscoveryHarness{
		New: func(t plugintest.T, env plugin.Env, known map[name.Node][]name.Address) discovery.Plugin {
			i, url := serve(t, known)
			mu.Lock()
			servers[env.DataDir] = i
			mu.Unlock()
			return create(t, env, url)
		},
		Teach: func(_ plugintest.T, env plugin.Env, node name.Node, endpoints []name.Address) {
			mu.Lock()
			i := servers[env.DataDir]
			mu.Unlock()
			i.set(func() { i.nodes[node] = endpoints })
		},
	})
}

func TestTheServerIsAskedWithTheETagAndTheLastDocumentStays(t *testing.T) {
	node := name.MustNode("b@h")
	i, url := serve(t, map[name.Node][]name.Address{node: {name.MustAddress("10.0.0.1:1")}})
	b := create(t, plugintest.Env(t, "self@h"), url)
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	plugintest.Eventually(t, "questions that change nothing", func() bool { i.mu.Lock(); defer i.mu.Unlock(); return i.unread > 2 })
	if i.full != 1 || i.token != "Bearer t0ken" {
		t.Errorf("%d documents were sent, token %q", i.full, i.token)
	}
	i.set(func() { i.status = http.StatusBadGateway })
	plugintest.Eventually(t, "bad health", func() bool { return b.Health().State == plugin.Degraded })
	if answer, err := b.Lookup(t.Context(), node); err != nil || len(answer.Endpoints) != 1 {
		t.Errorf("while the server is away: %v, %v", answer, err)
	}
	i.set(func() { i.status, i.nodes = 0, map[name.Node][]name.Address{} })
	plugintest.Eventually(t, "the end of a node", func() bool { _, err := b.Lookup(t.Context(), node); return err != nil })
	if err := b.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestADocumentThatIsNone(t *testing.T) {
	for what, body := range map[string]string{
		"no JSON": "<html>", "a bad node": `{"nodes": {"b": ["h:1"]}}`, "too large": strings.Repeat(" ", maxDocument+10) + "{}",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
		b := create(t, plugintest.Env(t, "self@h"), server.URL)
		b.refresh(t.Context())
		if _, err := b.Lookup(t.Context(), name.MustNode("b@h")); err == nil || !strings.Contains(err.Error(), "no document yet") {
			t.Errorf("%s: %v", what, err)
		}
		server.Close()
	}
}

func TestValidate(t *testing.T) {
	bad := &Settings{URL: "ftp://x"}
	if got := len(bad.Validate()); got != 3 {
		t.Errorf("%d problems: %v", got, bad.Validate())
	}
}
