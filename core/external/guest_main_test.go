package external

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/sdk"
	"github.com/barrelp2p/barrel/interfaces/trust"
	"github.com/barrelp2p/barrel/interfaces/wire"
)

// The test binary is also every plugin of these tests: started by a host, its first
// argument says which.
func TestMain(m *testing.M) {
	if os.Getenv(sdk.CookieName) != "" {
		beGuest(os.Args[1:])
	}
	if os.Getenv(bareHandshake().MagicCookieKey) != "" {
		serveBare()
	}
	if len(os.Args) > 1 && os.Args[1] == "host" {
		beHost(os.Args[2])
	}
	goleak.VerifyTestMain(m)
}

func beGuest(args []string) {
	switch args[0] {
	case "dies early":
		say("cannot read the list of nodes: permission denied")
		os.Exit(3)
	case "silent":
		select {}
	case "line":
		fmt.Println(args[1])
		select {}
	case "garbage on stdout":
		fmt.Println("loading...\n\x1b[31m\x00|||\n1|x|y\n" + strings.Repeat("x", 1<<20))
	case "hostile stderr":
		hostile(os.Stderr)
	case "grandchild":
		startGrandchild()
	case "leaves its group":
		startGrandchild()
		joinGroupOfHost()
	case "membership":
		sdk.Serve(club())
	case "registry":
		sdk.Serve(books())
	case "another contract":
		speakTheFuture()
	case "transport":
		sdk.Serve(carrier())
	case "trust":
		sdk.Serve(decider())
	}
	sdk.Serve(backend(args[0]), sdk.Version("1.2.3"))
}

func say(text string) { _, _ = fmt.Fprintln(os.Stderr, text) }

// hostile is what makes a reader panic that believes its input.
func hostile(to io.Writer) {
	for _, line := range []string{
		`{"@message":5}`, `{"@level":{},"@message":"x"}`, `{"@timestamp":[],"@message":"y"}`, `{"@message":null}`,
		`{"@message":"z","\u0000":"` + strings.Repeat("k", 10000) + `"}`, `{`, `[]`, `"`, strings.Repeat(`{"a":`, 5000), "\xff\xfe\x00",
	} {
		_, _ = fmt.Fprintln(to, line)
	}
}

// trespass tries what a sandbox should not let happen, and what it should, and says what
// came of each.
func trespass() string {
	inside, outside := os.Getenv("INSIDE"), os.Getenv("OUTSIDE")
	said := &strings.Builder{}
	try := func(what string, f func() error) { _, _ = fmt.Fprintf(said, "%s: %v; ", what, f()) }
	write := func(path string) func() error { return func() error { return os.WriteFile(path, []byte("x"), 0o600) } }
	read := func(path string) func() error { return func() error { _, err := os.ReadFile(path); return err } }
	dial := func(network, address string) func() error {
		return func() error {
			conn, err := net.Dial(network, address)
			if err != nil {
				return err
			}
			return conn.Close()
		}
	}
	try("write inside", write(filepath.Join(inside, "new")))
	try("read inside", read(filepath.Join(inside, "new")))
	try("read outside", read(filepath.Join(outside, "secret")))
	try("write outside", write(filepath.Join(outside, "new")))
	try("truncate outside", func() error { return os.Truncate(filepath.Join(outside, "secret"), 0) })
	try("read through proc", read(fmt.Sprintf("/proc/%s/environ", os.Getenv("HOST"))))
	try("execute", exec.Command("/bin/true").Run)
	try("udp", dial("udp", "127.0.0.1:9"))
	try("tcp", dial("tcp", os.Getenv("LISTENER")))
	try("signal", func() error { return syscall.Kill(os.Getppid(), 0) })
	try("link inside", func() error { return os.Symlink("/none", filepath.Join(inside, "link")) })
	try("link in the socket folder", func() error {
		return os.Symlink("/none", filepath.Join(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"), "link"))
	})
	trespassOnThreads(try)
	return said.String()
}

// startGrandchild leaves a process behind that holds the outputs of this one.
func startGrandchild() {
	cmd := exec.Command("/bin/sleep", "300")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		say(err.Error())
		os.Exit(1)
	}
	say(fmt.Sprintf("grandchild %d", cmd.Process.Pid))
}

// joinGroupOfHost goes where nobody can be killed by the group without the host, and is
// deaf to all that would end a plugin of good will.
func joinGroupOfHost() {
	signal.Ignore(syscall.SIGHUP)
	_ = os.Unsetenv(sdk.LifelineVariable)
	group, err := syscall.Getpgid(os.Getppid())
	if err == nil {
		err = syscall.Setpgid(0, group)
	}
	if err != nil {
		say(err.Error())
		os.Exit(1)
	}
}

// settings are those of the backend of these tests.
type settings struct {
	Port uint16 `setting:"port" help:"where everybody is"`
}

func (s *settings) Validate() []plugin.Problem {
	if s.Port == 0 {
		return []plugin.Problem{{Path: "port", Text: "must not be 0", Hint: "write 9100"}}
	}
	return nil
}

func backend(flaw string) discovery.Factory {
	return plugin.Define("test", "a backend to test with", func() *settings { return &settings{Port: 9100} },
		func(env discovery.Env, s *settings) (discovery.Plugin, error) {
			return &oddBackend{env: env, flaw: flaw, port: s.Port}, nil
		})
}

// oddBackend does what the name of the node asks of it.
type oddBackend struct {
	env  discovery.Env
	flaw string

	mu        sync.Mutex
	port      uint16
	published *discovery.Record
	watchers  []chan name.Node
}

func (b *oddBackend) Start(context.Context) error {
	switch b.flaw {
	case "floods":
		line := strings.Repeat("flood ", 170) + "\n"
		for range 100 << 20 / len(line) {
			_, _ = io.WriteString(os.Stderr, line)
		}
	case "start fails":
		return errors.New("no credentials in /etc/mine")
	case "crashes in start":
		panicElsewhere("pool is empty")
	}
	return nil
}

func panicElsewhere(text string) {
	go func() { panic(text) }()
	select {}
}

func (b *oddBackend) Stop(context.Context) error {
	if b.flaw == "stuck in stop" || b.flaw == "leaves its group" {
		select {}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range b.watchers {
		close(w)
	}
	b.watchers = nil
	return nil
}

func (b *oddBackend) Lookup(ctx context.Context, node name.Node) (discovery.Answer, error) {
	switch node.Base() {
	case "panic":
		panic("index out of range")
	case "crash":
		panicElsewhere("pool is empty")
	case "exit":
		b.env.Log.Error("bye")
		os.Exit(7)
	case "stop":
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	case "slow":
		<-ctx.Done()
		return discovery.Answer{}, ctx.Err()
	case "waited":
		return discovery.Answer{}, fmt.Errorf("the directory did not answer: %w", context.DeadlineExceeded)
	case "deaf":
		select {}
	case "print":
		fmt.Println("printed by the plugin")
		hostile(os.Stdout)
	case "log":
		b.env.Log.InfoContext(ctx, "looking", "node", node)
	case "environ":
		return discovery.Answer{}, errors.New(strings.Join(os.Environ(), " "))
	case "trespass":
		return discovery.Answer{}, errors.New(trespass())
	case "pid":
		return discovery.Answer{}, fmt.Errorf("pid %d", os.Getpid())
	case "nobody":
		return discovery.Answer{}, discovery.ErrNotFound
	case "published":
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.published == nil {
			return discovery.Answer{}, discovery.ErrNotFound
		}
		return discovery.Answer{Endpoints: b.published.Endpoints}, nil
	case "large":
		return discovery.Answer{}, errors.New(strings.Repeat("l", 8<<20))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	at := name.MustAddress(fmt.Sprintf("10.0.0.1:%d", b.port))
	return discovery.Answer{Endpoints: []name.Address{at}, TTL: time.Minute}, nil
}

func (b *oddBackend) Publish(_ context.Context, record discovery.Record) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.published = &record
	for _, w := range b.watchers {
		w <- record.Node
	}
	return nil
}

func (b *oddBackend) Withdraw(context.Context, name.Node) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.published = nil
	return nil
}

func (b *oddBackend) Watch(ctx context.Context) (<-chan name.Node, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := make(chan name.Node, 16)
	b.watchers = append(b.watchers, w)
	return w, nil
}

// decider trusts whom the host has pinned, and pins whoever is called new.
func decider() trust.Factory {
	return plugin.Define("test", "a trust plugin to test with", plugin.NoDefaults,
		func(env trust.Env, _ *plugin.NoSettings) (trust.Plugin, error) { return &oddDecider{env}, nil })
}

type oddDecider struct{ env trust.Env }

func (*oddDecider) Start(context.Context) error { return nil }
func (*oddDecider) Stop(context.Context) error  { return nil }

func (d *oddDecider) Decide(ctx context.Context, claim trust.Claim) error {
	switch claim.Node.Base() {
	case "exit":
		os.Exit(7)
	case "deaf":
		select {}
	case "new":
		return d.env.Pins.PinIfAbsent(claim.Node, claim.Key, "test")
	case "forge":
		return d.env.Pins.PinIfAbsent(name.MustNode("victim@h"), trust.Key{66}, "test")
	}
	pin, found, err := d.env.Pins.Lookup(claim.Node)
	switch {
	case err != nil:
		return err
	case !found:
		return fmt.Errorf("%w: %s", trust.ErrUntrusted, claim.Node)
	case pin.Key != claim.Key:
		return fmt.Errorf("%w: %s", trust.ErrKeyMismatch, claim.Node)
	}
	return nil
}

// Vet believes what is pinned.
func (d *oddDecider) Vet(claim trust.Claim) error {
	pin, found, err := d.env.Pins.Lookup(claim.Node)
	if err == nil && (!found || pin.Key != claim.Key) {
		err = fmt.Errorf("%w: %s", trust.ErrUntrusted, claim.Node)
	}
	return err
}

// future is a plugin whose contract this program does not know yet.
type future struct {
	goplugin.NetRPCUnsupportedPlugin
}

func speakTheFuture() {
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: sdk.Handshake(), VersionedPlugins: map[int]goplugin.PluginSet{sdk.Protocol: {sdk.Served: future{}}},
		GRPCServer: goplugin.DefaultGRPCServer, Logger: hclog.NewNullLogger(),
	})
	os.Exit(0)
}

func (future) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	wire.Serve(s, wire.Guest{Description: wire.Description{Kind: plugin.Discovery, Name: "test", Contracts: []string{"barrel.plugin.discovery.v9"}}})
	return nil
}

func (future) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, plugin.ErrUnsupported
}
