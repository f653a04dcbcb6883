// Erlang is a phrase book: what Erlang programs say to each other across nodes, and how
// the same is said here. Each file is a chapter, each function a phrase, with theirs in
// words above and ours in code below. The program says all of them, or those that are
// named, each among three nodes of its own in one process, on a network in memory that
// can be cut.
//
//	go run ./examples/erlang
//	go run ./examples/erlang monitor_nodes simple_rpc
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/core/config"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/plugins"
	transportmemory "github.com/barrelp2p/barrel/plugins/transport-memory"
)

func main() {
	if err := run(os.Stdout, os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

// phrase is one thing that they say, by the name that it has there.
type phrase struct {
	theirs string
	say    func(context.Context, *world) error
}

type chapter struct {
	title   string
	phrases []phrase
}

func book() []chapter {
	return []chapter{
		{"Nodes", []phrase{
			{"start_distributed", startDistributed}, {"connect_nodes", connect}, {"list_nodes", listNodes}, {"connect_hidden", connectHidden},
			{"node_info", nodeInfo}, {"disconnect_node", disconnect}, {"monitor_nodes", monitorNodes},
		}},
		{"Messages", []phrase{
			{"send_remote", sendByName}, {"spawn_on_remote", spawnThere}, {"remote_call", ask}, {"dispatch", dispatch},
			{"remote_process_with_io", outputHere},
		}},
		{"Names", []phrase{
			{"register_global", register}, {"send_global", sendGlobal}, {"register_with_resolve", conflict}, {"sync_global", syncNames},
			{"list_global_names", listNames}, {"ensure_global_registration", ensure},
		}},
		{"Supervision", []phrase{{"start_worker", startWorker}, {"join", join}, {"broadcast", broadcast}}},
		{"Calls", []phrase{
			{"simple_rpc", call}, {"timed_rpc", callInTime}, {"async_rpc", callLater}, {"parallel_rpc", callMany},
			{"parallel_rpc_results", callManyInTime}, {"cast_rpc", cast}, {"broadcast_rpc", callAll}, {"pmap_nodes", mapOver},
		}},
		{"Partitions", []phrase{
			{"detect_partition", detect}, {"monitor_cluster", monitorCluster}, {"propose", propose}, {"vote", voteInTime},
		}},
	}
}

// run says the phrases that are named, or all.
func run(out io.Writer, named []string) error {
	if err := known(named); err != nil {
		return err
	}
	for _, c := range book() {
		for _, p := range c.phrases {
			if len(named) > 0 && !slices.Contains(named, p.theirs) {
				continue
			}
			if _, err := fmt.Fprintf(out, "%s: %s\n", c.title, p.theirs); err != nil {
				return err
			}
			if err := p.among(out); err != nil {
				return fmt.Errorf("%s: %w", p.theirs, err)
			}
		}
	}
	return nil
}

// known is an error if one of those that are named is no phrase.
func known(named []string) error {
	var all []string
	for _, c := range book() {
		for _, p := range c.phrases {
			all = append(all, p.theirs)
		}
	}
	for _, one := range named {
		if !slices.Contains(all, one) {
			return fmt.Errorf("%s: no such phrase: there are %s", one, strings.Join(all, ", "))
		}
	}
	return nil
}

// among says a phrase among three nodes of its own.
func (p phrase) among(out io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "erlang")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	w, err := newWorld(ctx, dir, out)
	defer func() { err = errors.Join(err, w.close()) }()
	if err != nil {
		return err
	}
	said := make(chan error, 1)
	go func() { said <- p.say(ctx, w) }()
	select {
	case err = <-said:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// world is three nodes that know each other, and the network between them.
type world struct {
	network *transportmemory.Network
	dir     string
	out     io.Writer
	a, b, c *core.Node
	started []*core.Node
}

func newWorld(ctx context.Context, dir string, out io.Writer) (*world, error) {
	w := &world{network: transportmemory.NewNetwork(), dir: dir, out: out}
	var err error
	for text, node := range map[string]**core.Node{"a@h": &w.a, "b@h": &w.b, "c@h": &w.c} {
		if *node, err = w.start(ctx, text); err != nil {
			return w, err
		}
	}
	for _, joiner := range []*core.Node{w.b, w.c} {
		if err := joiner.Join(ctx, w.a.Name()); err != nil {
			return w, err
		}
	}
	return w, w.whole(ctx)
}

// whole waits until each of the three sees all of them alive.
func (w *world) whole(ctx context.Context) error {
	return until(ctx, func() bool { return len(w.a.Alive()) == 3 && len(w.b.Alive()) == 3 && len(w.c.Alive()) == 3 })
}

// start starts a node in this program, which may be there for long by then.
func (w *world) start(ctx context.Context, text string, sets ...string) (*core.Node, error) {
	cat := plugins.All()
	cat.Transport = []transport.Factory{w.network.Factory()}
	cfg, err := core.Load(config.Sources{Name: text, DataDir: filepath.Join(w.dir, text), Sets: append([]string{
		"transport.use=memory", "transport.memory.heartbeat=50ms", "transport.memory.idle_timeout=250ms",
		"membership.use=full", "membership.full.suspect_timeout=200ms", "membership.full.retry=100ms", "membership.full.retry_max=200ms",
		"discovery.file.dir=" + filepath.Join(w.dir, "discovery"), "bootstrap.retry=200ms", "registry.ormap.anti_entropy=500ms",
	}, sets...)}, cat)
	if err != nil {
		return nil, err
	}
	n, err := core.New(cfg, cat, core.WithoutSocket())
	if err != nil {
		return nil, err
	}
	w.started = append(w.started, n)
	return n, n.Start(ctx)
}

func (w *world) close() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, n := range slices.Backward(w.started) {
		err = errors.Join(err, n.Stop(ctx))
	}
	return err
}

// cut parts one node from the two others, or lets them meet again.
func (w *world) cut(node *core.Node, apart bool) {
	for _, other := range []*core.Node{w.a, w.b, w.c} {
		if other == node {
			continue
		}
		if apart {
			w.network.Cut(node.Name(), other.Name())
		} else {
			w.network.Heal(node.Name(), other.Name())
		}
	}
}

// until waits for something that becomes true in the end.
func until(ctx context.Context, cond func() bool) error {
	for !cond() {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (w *world) say(format string, args ...any) { _, _ = fmt.Fprintf(w.out, "  "+format+"\n", args...) }

func service(text string) name.Service { return name.MustService(text) }
