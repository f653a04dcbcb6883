package external

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-plugin/runner"

	"github.com/barrelp2p/barrel/interfaces/sdk"
)

// drainTime is for how long what an ended process has written is still read. Somebody
// who inherited its output may hold it open for ever.
const drainTime = 200 * time.Millisecond

// The numbers of the files that a child inherits beside the usual three.
const (
	lifelineFD = 3
	programFD  = 4
)

// child is one process, as go-plugin wants to see it: it starts it, and we keep it.
type child struct {
	spec    Spec
	program *program
	log     *output

	env      []string // of the greeting
	sockets  string   // where its socket must be
	lifeline *os.File // our end
	greeting *greeting

	pid    atomic.Int64  // 0 until it runs
	strike func()        // kills the process and its group; set before pid
	begun  atomic.Bool   // Start was called
	exited *gate         // opened when the process is buried and its group killed, or is given up
	done   *gate         // opened when its output is read as well
	lived  chan struct{} // closed when nothing of it goes on here

	mu     sync.Mutex
	how    string // why it ended
	byHost bool   // by us, and not by itself
	given  bool   // up: it did not end when it was killed
}

var _ runner.Runner = (*child)(nil)

func newChild(spec Spec, p *program, log *output) *child {
	return &child{
		spec: spec, program: p, log: log, greeting: newGreeting(),
		exited: newGate(), done: newGate(), lived: make(chan struct{}),
	}
}

// gate is a channel that is closed once, by whoever comes first.
type gate struct {
	open chan struct{}
	once sync.Once
}

func newGate() *gate { return &gate{open: make(chan struct{})} }

func (g *gate) close() { g.once.Do(func() { close(g.open) }) }

// Start starts the process and returns when it runs or does not.
func (c *child) Start(context.Context) error {
	c.begun.Store(true)
	stdout, stderr, end, err := c.pipes()
	if err != nil {
		c.exited.close()
		c.done.close()
		close(c.lived)
		return err
	}
	cmd := c.command(stdout.w, stderr.w, end)
	started := make(chan error, 1)
	go c.live(cmd, stdout, stderr, end, started)
	err = <-started
	_ = end.Close()
	return err
}

type pipe struct{ r, w *os.File }

func (p pipe) close() { _, _ = p.r.Close(), p.w.Close() }

func (c *child) pipes() (stdout, stderr pipe, end *os.File, err error) {
	for _, p := range []*pipe{&stdout, &stderr} {
		if p.r, p.w, err = os.Pipe(); err != nil {
			return stdout, stderr, nil, err
		}
	}
	end, c.lifeline, err = os.Pipe()
	return stdout, stderr, end, err
}

func (c *child) command(stdout, stderr, end *os.File) *exec.Cmd {
	cmd := &exec.Cmd{
		Path: c.program.path(programFD), Args: append([]string{c.spec.Command}, c.spec.Args...),
		Env:    append(append(c.spec.environ(), c.env...), sdk.LifelineVariable+"="+strconv.Itoa(lifelineFD)),
		Stdout: stdout, Stderr: stderr, ExtraFiles: []*os.File{end, c.program.file}, SysProcAttr: ownGroup(),
	}
	return cmd
}

// live is the whole life of the process, on one thread: the system may tie the process
// to the thread that started it.
func (c *child) live(cmd *exec.Cmd, stdout, stderr pipe, end *os.File, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(c.lived)
	defer c.done.close()
	err := c.launch(cmd)
	_, _ = stdout.w.Close(), stderr.w.Close()
	if err != nil {
		c.ended(fmt.Sprintf("cannot be executed: %v", err))
		stdout.close()
		stderr.close()
		c.greeting.end()
		c.exited.close()
		started <- fmt.Errorf("program %s: %w", c.spec.Command, err)
		return
	}
	c.strike = func() { killAll(cmd.Process) }
	c.pid.Store(int64(cmd.Process.Pid))
	if c.over() {
		c.strike() // somebody wanted its end before it had a number
	}
	watcher := startWatcher(cmd.Process.Pid, end)
	started <- nil
	var reading sync.WaitGroup
	reading.Go(func() { c.log.read("stdout", stdout.r, c.greeting.take) })
	reading.Go(func() { c.log.read("stderr", stderr.r, nil) })
	err = bury(cmd, watcher)
	c.buried(cmd.ProcessState, err)
	c.exited.close()
	_ = c.lifeline.Close()
	deadline := time.Now().Add(drainTime)
	_, _ = stdout.r.SetReadDeadline(deadline), stderr.r.SetReadDeadline(deadline)
	reading.Wait()
	c.greeting.end()
	_, _ = stdout.r.Close(), stderr.r.Close()
}

// launch starts the process, in its sandbox if it has one.
func (c *child) launch(cmd *exec.Cmd) error {
	if c.spec.Sandbox != nil {
		return startConfined(cmd, c.spec.Sandbox, c.sockets)
	}
	return cmd.Start()
}

// buried notes how the process ended. Unless we killed it: then it is known why, and a
// status that says otherwise only means that it was faster.
func (c *child) buried(state *os.ProcessState, err error) {
	how := fmt.Sprint(err)
	if state != nil {
		how = state.String()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	killed := state != nil && state.ExitCode() < 0
	if c.how == "" || !killed {
		c.how, c.byHost = how, c.byHost && killed
	}
}

// ended notes why, unless there is a reason already.
func (c *child) ended(how string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.how != "" {
		return false
	}
	c.how = how
	return true
}

// over reports whether the process has ended or is to end.
func (c *child) over() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.how != ""
}

// bySelf reports whether the process has ended without our doing.
func (c *child) bySelf() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.how != "" && !c.byHost
}

// gone says how the process ended.
func (c *child) gone() *GoneError {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &GoneError{How: c.how, Lines: c.log.last()}
}

// Wait waits until the process is gone, or given up.
func (c *child) Wait(ctx context.Context) error {
	select {
	case <-c.exited.open:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Kill is how go-plugin ends a process that it does not want.
func (c *child) Kill(context.Context) error { return c.kill("ended by its host") }

// Stdout has the greeting and nothing else.
func (c *child) Stdout() io.ReadCloser { return c.greeting.r }

// Stderr has nothing: go-plugin's reader can be made to panic by what a plugin writes.
func (c *child) Stderr() io.ReadCloser { return io.NopCloser(eof{}) }

type eof struct{}

// Read has nothing.
func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// Name is for go-plugin's log, which goes nowhere.
func (c *child) Name() string { return c.spec.ID() }

// ID is the process number.
func (c *child) ID() string { return strconv.FormatInt(c.pid.Load(), 10) }

// Diagnose has nothing to add.
func (c *child) Diagnose(context.Context) string { return "" }

// errForeignSocket: connecting elsewhere would hand the node's questions to others.
var errForeignSocket = errors.New("its socket is not in the directory that it was given")

// PluginToHost lets the plugin be nowhere but in its own directory. A link in it could
// lead to a socket of somebody else.
func (c *child) PluginToHost(network, address string) (string, string, error) {
	if network != "unix" || filepath.Dir(filepath.Clean(address)) != c.sockets {
		return "", "", fmt.Errorf("%w: %s %q", errForeignSocket, network, clip(address, 200))
	}
	if info, err := os.Lstat(address); err != nil || info.Mode().Type() != os.ModeSocket {
		return "", "", fmt.Errorf("%w: no socket is at %q", errForeignSocket, clip(address, 200))
	}
	return network, address, nil
}

// HostToPlugin is for addresses of the host, of which it gives none.
func (c *child) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}
