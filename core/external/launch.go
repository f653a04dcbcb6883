package external

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/sdk"
	"github.com/barrelp2p/barrel/interfaces/wire"
)

// process is a plugin process that has greeted.
type process struct {
	spec     Spec
	opts     Options
	child    *child
	client   *goplugin.Client
	conn     grpc.ClientConnInterface
	said     wire.Description
	contract string
	sockets  string // the directory in which go-plugin makes one for it
}

// launch starts a process and returns when it has greeted and said who it is. On an
// error nothing is left of it, and the error has what it said last.
func launch(ctx context.Context, spec Spec, opts Options, sockets string, contracts []string, log *slog.Logger) (_ *process, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, opts.Start, fmt.Errorf("%w within %v", ErrNotReady, opts.Start))
	defer cancel()
	p := &process{spec: spec, opts: opts, sockets: sockets}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.end("ended: "+err.Error()))
		}
	}()
	program, err := loadProgram(spec, sockets)
	if err != nil {
		return nil, err
	}
	defer program.close()
	p.child = newChild(spec, program, newOutput(log))
	p.client = p.newClient()
	if err := p.greet(ctx); err != nil {
		return nil, p.explain(ctx, err)
	}
	p.said, err = wire.NewPlugin(p.conn).Describe(ctx, opts.Version, contracts)
	if err != nil {
		return nil, p.explain(ctx, err)
	}
	p.said.Sockets = p.child.sockets
	p.contract, err = agree(spec, p.said, contracts)
	return p, err
}

func (p *process) newClient() *goplugin.Client {
	return goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig:  sdk.Handshake(),
		VersionedPlugins: map[int]goplugin.PluginSet{sdk.Protocol: {sdk.Served: bareConn{}}},
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		AutoMTLS:         true,
		SkipHostEnv:      true,
		StartTimeout:     p.opts.Start,
		Logger:           hclog.NewNullLogger(),
		SyncStdout:       p.child.log.writer("stdout"),
		SyncStderr:       p.child.log.writer("stderr"),
		UnixSocketConfig: &goplugin.UnixSocketConfig{TempDir: p.sockets},
		GRPCDialOptions:  dialOptions(),
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, dir string) (runner.Runner, error) {
			p.child.env, p.child.sockets = cmd.Env, dir
			return p.child, nil
		},
	})
}

// bareConn makes go-plugin hand out the connection itself.
type bareConn struct {
	goplugin.NetRPCUnsupportedPlugin
}

var _ goplugin.GRPCPlugin = bareConn{}

// GRPCServer is for plugins.
func (bareConn) GRPCServer(*goplugin.GRPCBroker, *grpc.Server) error { return plugin.ErrUnsupported }

// GRPCClient is the connection.
func (bareConn) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return conn, nil
}

// greet starts the process and connects. go-plugin's own waiting has no end against a
// process that stops in the middle, so the process is killed when time is up.
func (p *process) greet(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { _ = p.child.kill("killed while it was starting") })()
	protocol, err := p.client.Client()
	if err != nil {
		return err
	}
	raw, err := protocol.Dispense(sdk.Served)
	if err != nil {
		return err
	}
	conn, ok := raw.(*grpc.ClientConn)
	if !ok {
		return fmt.Errorf("dispensed a %T", raw)
	}
	p.conn = conn
	return nil
}

// explain says why a process did not become ready, in its own last words if it has any.
func (p *process) explain(ctx context.Context, err error) error {
	select {
	case <-p.child.exited.open:
	case <-time.After(exitPatience):
	}
	ended := p.child.bySelf()
	_ = p.child.kill("ended by its host")
	p.child.settle()
	gone := p.child.gone()
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case errors.Is(err, ErrSandbox):
	case ended:
		err = fmt.Errorf("%w: %s", ErrNotReady, gone.How)
	case strings.Contains(err.Error(), "ncompatible"):
		err = fmt.Errorf("%w: the greeting of this program has version %d: %s", ErrVersion, sdk.Protocol, firstLine(err))
	default:
		err = fmt.Errorf("%w: %s", ErrNotReady, firstLine(err))
	}
	if said := telling(gone.Lines); said != "" {
		return fmt.Errorf("%w: it said last: %s", err, said)
	}
	return err
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return clean(clip(line, keptLine))
}

// exitPatience is for how long the end of a process is waited for when its connection
// has broken: the two come within milliseconds of each other.
const exitPatience = 75 * time.Millisecond

// agree picks the contract, the one that the host prefers.
func agree(spec Spec, said wire.Description, contracts []string) (string, error) {
	if said.Kind != spec.Kind {
		return "", fmt.Errorf("%w: it is a %s plugin (%q), and the settings name it as %s", ErrVersion, said.Kind, said.Name, spec.ID())
	}
	for _, contract := range contracts {
		if slices.Contains(said.Contracts, contract) {
			return contract, nil
		}
	}
	return "", fmt.Errorf("%w: it speaks %q, this program %q: one of the two is too old", ErrVersion, said.Contracts, contracts)
}

// errStubborn: it was told to end, and was killed in the end.
var errStubborn = errors.New("did not end when it was told to, and was killed")

// stop asks the process to end and sees to it that it does, within the grace and ctx.
func (p *process) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.opts.Grace)
	defer cancel()
	// What it answers does not matter: that it ends does.
	_ = p.conn.Invoke(ctx, "/plugin.GRPCController/Shutdown", &emptypb.Empty{}, &emptypb.Empty{})
	select {
	case <-p.child.exited.open:
		return p.end("")
	case <-ctx.Done():
	}
	if err := p.end("killed: it did not end when it was told to"); err != nil {
		return err
	}
	return errStubborn
}

// end kills what is left and lets go of everything. It is errLeft if the process does
// not end.
func (p *process) end(why string) (err error) {
	if p.child != nil {
		err = p.child.kill(why)
	}
	if p.client != nil {
		p.client.Kill() // nothing is left to kill; it closes the connection and waits for its goroutines
	}
	return err
}

// lost is err with what is known of the end of the process, if it has ended.
func (p *process) lost(err error) error {
	if !errors.Is(err, plugin.ErrGone) {
		return err
	}
	select {
	case <-p.child.exited.open:
	case <-time.After(exitPatience):
		return err
	}
	select {
	case <-p.child.done.open:
	case <-time.After(exitPatience / 4):
	}
	return p.child.gone()
}
