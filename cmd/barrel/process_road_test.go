package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/barrelp2p/barrel/core/catalog"
	"github.com/barrelp2p/barrel/core/external"
	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/settings"
	"github.com/barrelp2p/barrel/interfaces/trust"
	"github.com/barrelp2p/barrel/plugins"
)

// The third road of the suites: every built-in plugin that can be a process is one, by
// `barrel plugin serve`, but hyparview.

// soon is how often the health is asked for: the suite wants to see it change. Who asks that often
// must not take silence for death, as the machine may be busy.
const soon, patience = 10 * time.Millisecond, 1000

func served(t plugintest.T, kind plugin.Kind, name string) external.Spec {
	t.Helper()
	return external.Spec{
		Kind: kind, Name: name, Command: wrapScript(t, "barrel"), Args: []string{"plugin", "serve", string(kind) + "/" + name},
		Env: map[string]string{"GORACE": "atexit_sleep_ms=0"},
	}
}

// wrapScript is a script that becomes a program of these tests: a program is large, and
// what is executed is copied.
func wrapScript(t plugintest.T, name string) string {
	t.Helper()
	script := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(script, []byte("#!/bin/sh\nexec "+quickProgram(t, name)+" \"$@\"\n"), 0o700); err != nil {
		t.Fatalf("%v", err)
	}
	return script
}

func serveDiscovery(t plugintest.T, name string, env plugin.Env, section plugin.Section) discovery.Plugin {
	t.Helper()
	env.Log = slog.New(slog.DiscardHandler)
	p, err := external.Discovery(served(t, plugin.Discovery, name), external.Options{}).New(env, &section)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return p
}

func TestDiscoveryByTheProcessRoad(t *testing.T) {
	t.Parallel()
	t.Run("static", func(t *testing.T) {
		t.Parallel()
		plugintest.DiscoveryProcess(t, plugintest.DiscoveryHarness{New: staticProcess})
	})
	t.Run("file", func(t *testing.T) {
		t.Parallel()
		plugintest.DiscoveryProcess(t, plugintest.DiscoveryHarness{New: fileProcess, Teach: teachFile})
	})
	t.Run("dns", func(t *testing.T) {
		t.Parallel()
		plugintest.DiscoveryProcess(t, plugintest.DiscoveryHarness{New: dnsProcess})
	})
	t.Run("exec", func(t *testing.T) {
		t.Parallel()
		plugintest.DiscoveryProcess(t, plugintest.DiscoveryHarness{New: execProcess})
	})
}

// execProcess has a command that needs no file, since a script that was just written
// cannot be executed while another process has it open.
func execProcess(t plugintest.T, env plugin.Env, known map[name.Node][]name.Address) discovery.Plugin {
	t.Helper()
	script := "case $1 in\n"
	for node, endpoints := range known {
		script += fmt.Sprintf("%s) echo %s;;\n", node, strings.Trim(fmt.Sprint(endpoints), "[]"))
	}
	return serveDiscovery(t, "exec", env, plugin.Section{
		"command": "/bin/sh", "args": []any{"-c", script + "*) exit 6;;\nesac", "where-is"},
	})
}

func staticProcess(t plugintest.T, env plugin.Env, known map[name.Node][]name.Address) discovery.Plugin {
	t.Helper()
	nodes := map[string]any{}
	for node, endpoints := range known {
		nodes[node.String()] = texts(endpoints)
	}
	return serveDiscovery(t, "static", env, plugin.Section{"nodes": nodes})
}

func texts(endpoints []name.Address) []any {
	out := make([]any, len(endpoints))
	for i, e := range endpoints {
		out[i] = e.String()
	}
	return out
}

func fileProcess(t plugintest.T, env plugin.Env, known map[name.Node][]name.Address) discovery.Plugin {
	t.Helper()
	for node, endpoints := range known {
		teachFile(t, env, node, endpoints)
	}
	return serveDiscovery(t, "file", env, plugin.Section{"poll": "100ms"})
}

func teachFile(t plugintest.T, env plugin.Env, node name.Node, endpoints []name.Address) {
	t.Helper()
	text, err := json.Marshal(map[string]any{"node": node, "endpoints": endpoints, "incarnation": 1, "written": "2026-01-01T00:00:00Z"})
	if err != nil {
		t.Fatalf("%v", err)
	}
	path := filepath.Join(env.DataDir, "discovery", node.String()+".endpoint")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatalf("%v", err)
	}
	if err := os.WriteFile(path+".tmp", text, 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		t.Fatalf("%v", err)
	}
}

func dnsProcess(t plugintest.T, env plugin.Env, known map[name.Node][]name.Address) discovery.Plugin {
	t.Helper()
	zone := map[string][]dns.RR{}
	add := func(format string, args ...any) {
		rr, err := dns.NewRR(fmt.Sprintf(format, args...))
		if err != nil {
			t.Fatalf("%v", err)
		}
		zone[rr.Header().Name] = append(zone[rr.Header().Name], rr)
	}
	for node, endpoints := range known {
		for i, e := range endpoints {
			add("_barrel._udp.%s. 60 IN SRV %d 0 %d t%d.%s.", node.Host(), i, e.Port(), i, node.Host())
			add("t%d.%s. 60 IN A %s", i, node.Host(), e.Host())
		}
	}
	return serveDiscovery(t, "dns", env, plugin.Section{"server": serveZone(t, zone)})
}

// serveZone answers from records; it returns its address.
func serveZone(t plugintest.T, zone map[string][]dns.RR) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("%v", err)
	}
	started, done := make(chan struct{}), make(chan error, 1)
	server := &dns.Server{PacketConn: conn, NotifyStartedFunc: func() { close(started) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, question *dns.Msg) {
		reply := new(dns.Msg)
		reply.SetReply(question)
		q := question.Question[0]
		for _, rr := range zone[q.Name] {
			if rr.Header().Rrtype == q.Qtype {
				reply.Answer = append(reply.Answer, rr)
			}
		}
		if len(zone[q.Name]) == 0 {
			reply.Rcode = dns.RcodeNameError
		}
		_ = w.WriteMsg(reply)
	})}
	go func() { done <- server.ActivateAndServe() }()
	<-started
	t.Cleanup(func() { _, _ = server.Shutdown(), <-done })
	return conn.LocalAddr().String()
}

func TestTrustByTheProcessRoad(t *testing.T) {
	t.Parallel()
	for name, accepts := range map[string]bool{"tofu": true, "strict": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plugintest.TrustProcess(t, plugintest.TrustHarness{AcceptsUnknown: accepts, New: func(t plugintest.T, env trust.Env) trust.Plugin {
				p, err := external.Trust(served(t, plugin.Trust, name), external.Options{Health: soon, Misses: patience}).New(env, &plugin.Section{})
				if err != nil {
					t.Fatalf("New: %v", err)
				}
				return p
			}})
		})
	}
}

// The first node of each check has its registry in a process, the others have it built
// in: they have to understand each other, and processes are costly.
func TestRegistryByTheProcessRoad(t *testing.T) {
	t.Parallel()
	for name, section := range map[string]plugin.Section{"memory": {}, "ormap": {"anti_entropy": "100ms"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plugintest.RegistryProcess(t, plugintest.RegistryHarness{Replicates: name == "ormap", New: func(t plugintest.T, env registry.Env) registry.Plugin {
				factory := external.Registry(served(t, plugin.Registry, name), external.Options{})
				config := any(&section)
				if !isFirst(env.Node) {
					factory, config = inTree(t, plugins.All().Registry, plugin.Registry, name, section)
				}
				p, err := factory.New(env, config)
				if err != nil {
					t.Fatalf("New: %v", err)
				}
				return p
			}})
		})
	}
}

// Membership hyparview takes this road in its own package, with shorter timers than its
// settings give.
func TestMembershipByTheProcessRoad(t *testing.T) {
	t.Parallel()
	section := shortTimers()
	plugintest.MembershipProcess(t, plugintest.MembershipHarness{New: func(t plugintest.T, env membership.Env) membership.Plugin {
		factory := external.Membership(served(t, plugin.Membership, "full"), external.Options{})
		config := any(&section)
		if !isFirst(env.Node) {
			factory, config = inTree(t, plugins.All().Membership, plugin.Membership, "full", section)
		}
		p, err := factory.New(env, config)
		if err != nil {
			t.Fatalf("New: %v", err)
		}
		return p
	}})
}

// isFirst reports whether a node of a suite is the one that a check begins with.
func isFirst(node name.Node) bool { return node.Base() == "self" || node.Base() == "a" }

// inTree is a plugin of this program, with settings for it.
func inTree[P plugin.Part, E any](t plugintest.T, list []plugin.Factory[P, E], kind plugin.Kind, name string, section plugin.Section) (plugin.Factory[P, E], any) {
	t.Helper()
	factory, err := catalog.Find(list, kind, name)
	if err != nil {
		t.Fatalf("%v", err)
	}
	decoded := factory.Settings()
	if problems := settings.Decode(section, decoded); len(problems) > 0 {
		t.Fatalf("settings: %v", problems)
	}
	return factory, decoded
}
