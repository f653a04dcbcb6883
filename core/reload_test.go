package core_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/core/catalog"
	"github.com/barrelp2p/barrel/core/config"
	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// guest is a backend that is configured as a process, as far as the node can see. It
// notes what is done with it, and does not change while its mood is bad.
type guest struct {
	mood error
	done []string
}

func (*guest) Start(context.Context) error { return nil }
func (*guest) Stop(context.Context) error  { return nil }

func (*guest) Lookup(context.Context, name.Node) (discovery.Answer, error) {
	return discovery.Answer{}, discovery.ErrNotFound
}

func (g *guest) Reload(context.Context, any) error          { return g.do("reloaded") }
func (g *guest) Replace(context.Context, plugin.Part) error { return g.do("replaced") }

func (g *guest) do(what string) error {
	g.done = append(g.done, what)
	return g.mood
}

// reloading is a node with a guest, whose file can be written anew.
type reloading struct {
	*lab
	*guest

	file string
	node *core.Node
}

func newReloading(t *testing.T) *reloading {
	r := &reloading{lab: newLab(t), guest: &guest{}, file: filepath.Join(t.TempDir(), "node.yaml")}
	makes := []*guest{{}, r.guest} // the first when it is assembled to be checked
	factory := plugin.Define("guest", "a guest", func() *plugin.Section { return &plugin.Section{} },
		func(discovery.Env, *plugin.Section) (discovery.Plugin, error) {
			if len(makes) == 0 {
				return &guest{}, nil // it only says what the one that runs is to be
			}
			made := makes[0]
			makes = makes[1:]
			return made, nil
		})
	builtIn, dir := r.catalog, t.TempDir()
	r.catalog.Discovery = append(slices.Clone(builtIn.Discovery), factory)
	read := func() (*config.Config, error) {
		return core.Load(config.Sources{File: r.file, DataDir: dir, Sets: r.sets}, builtIn)
	}
	r.write("1", "/bin/one", "1s")
	cfg, err := read()
	if err != nil {
		t.Fatal(err)
	}
	same := func(*config.Config) (catalog.Catalog, error) { return r.catalog, nil }
	r.node = r.run(r.make(cfg, core.WithReload(read), core.WithCatalog(same)))
	return r
}

func (r *reloading) write(port, command, sweep string) {
	r.t.Helper()
	text := "node: {name: a@127.0.0.1}\nlinks: {sweep: " + sweep + "}\ndiscovery: {use: [guest], guest: {port: " + port + "}}\n" +
		"plugins: {discovery/guest: {command: " + command + ", insecure_unpinned: true}}\n"
	if err := os.WriteFile(r.file, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *reloading) expect(did string, lines ...string) {
	r.t.Helper()
	r.done = nil
	got, err := control(r.t, r.node).Reload(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	slices.Sort(got)
	slices.Sort(lines)
	fits := func(line, want string) bool { return strings.HasPrefix(line, want) }
	if !slices.EqualFunc(got, lines, fits) || strings.Join(r.done, " ") != did {
		r.t.Errorf("the plugin was %q and the reload said %q, want %q and %q", r.done, got, did, lines)
	}
}

// What could not be changed is tried again by the next reload, and what waits for a
// restart is said again, until the file is as the node is.
func TestWhatWasNotReloadedIsNotForgotten(t *testing.T) {
	r := newReloading(t)
	r.expect("")
	r.mood = errors.New("not today")
	r.write("2", "/bin/one", "2s")
	for range 2 {
		r.expect("reloaded", "links.sweep: restart", "discovery.guest.port: not changed: not today")
	}
	r.write("1", "/bin/one", "2s") // as it still is
	r.expect("", "links.sweep: restart")
	r.mood = nil
	r.write("3", "/bin/one", "1s")
	r.expect("reloaded", "discovery.guest.port: live")
	r.expect("")
}

// A process keeps running where its settings alone have changed and it can take them; a
// new one takes its place where the program is another.
func TestSettingsOfAProcessAreReloadedAndItsProgramReplaced(t *testing.T) {
	r := newReloading(t)
	r.write("2", "/bin/one", "1s")
	r.expect("reloaded", "discovery.guest.port: live")
	r.write("2", "/bin/two", "1s")
	r.expect("replaced", "plugins.discovery/guest.command: live")
	r.write("3", "/bin/three", "1s")
	r.expect("replaced", "discovery.guest.port: live", "plugins.discovery/guest.command: live")
	r.mood = errors.New("no such file")
	r.write("3", "/bin/four", "1s")
	for range 2 {
		r.expect("replaced", "plugins.discovery/guest.command: not changed: no such file")
	}
}
