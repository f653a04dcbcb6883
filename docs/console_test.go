package docs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait for a command; it says nothing of how fast one is.
const patience = 60 * time.Second

// terminal is where the commands of a page are typed, one at a time.
type terminal struct {
	name    string // empty: the one whose commands all end
	dir     string
	env     []string
	running *process
	status  int // of the command before
}

// process is a command that was started, and what became of it.
type process struct {
	text string
	cmd  *exec.Cmd
	in   io.WriteCloser // of a terminal with a name
	out  *output
	seen int // lines of out that the page has shown
	done chan struct{}
}

// output is what a process has printed so far.
type output struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.data.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.data.String()
}

// lines are the whole lines printed so far.
func (o *output) lines() []string {
	text := o.String()
	return splitLines(text[:strings.LastIndexByte(text, '\n')+1])
}

// start starts a command in a process group of its own, as a shell does.
func (t *terminal) start(text string) error {
	p := &process{text: text, cmd: exec.Command("sh", "-c", text), out: &output{}, done: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = t.dir, t.env, p.out, p.out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = time.Second
	if t.name != "" {
		var err error
		if p.in, err = p.cmd.StdinPipe(); err != nil {
			return err
		}
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // the status is in ProcessState
	}()
	t.running = p
	return nil
}

// signal reaches the process and all that it started.
func (p *process) signal(s syscall.Signal) { _ = syscall.Kill(-p.cmd.Process.Pid, s) }

// finish waits for the end of the command that runs; its status is the terminal's.
func (t *terminal) finish(ctx context.Context) error {
	p := t.running
	if p == nil {
		return nil
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		return fmt.Errorf("$ %s\nhas not ended:\n%s", p.text, p.out)
	}
	t.running, t.status = nil, exitStatus(p.cmd)
	return nil
}

// exitStatus is what a shell calls it: 128 and the signal, if a signal ended it.
func exitStatus(cmd *exec.Cmd) int {
	if w, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return 128 + int(w.Signal())
	}
	return cmd.ProcessState.ExitCode()
}

// clear ends what still runs, in good order if that is possible.
func (t *terminal) clear() {
	p := t.running
	if p == nil {
		return
	}
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(15 * time.Second):
		p.signal(syscall.SIGKILL)
		<-p.done
	}
}

// do types one command of a page and compares what it prints. next is the command after
// it in the same block, if there is one.
func (t *terminal) do(ctx context.Context, c command, next string) error {
	switch {
	case c.text == askStatus:
		return t.checkStatus(c)
	case c.text == interrupt:
		return t.interrupt(ctx, c)
	case c.typed != "" && t.running != nil && t.running.in != nil:
		if _, err := fmt.Fprintln(t.running.in, c.typed); err != nil {
			return fmt.Errorf("%s%s: %w", prompt, c.typed, err)
		}
	case c.text == "" && t.running == nil:
		return fmt.Errorf("%q: nothing runs in this terminal that could print it", strings.Join(c.want, "\n"))
	case c.text != "":
		if err := t.begin(ctx, c.text); err != nil {
			return err
		}
	}
	if t.name != "" {
		return t.watch(ctx, c)
	}
	return t.compare(ctx, c, next)
}

// askStatus is how a page shows the status of a command that fails.
const askStatus = "echo $?"

func (t *terminal) checkStatus(c command) error {
	if got := []string{fmt.Sprint(t.status)}; !matchAll(c.want, got) {
		return mismatch(c, got)
	}
	t.status = 0
	return nil
}

// begin starts a command; the one before it must have come to its end.
func (t *terminal) begin(ctx context.Context, text string) error {
	if err := t.finish(ctx); err != nil {
		return err
	}
	return t.start(text)
}

// compare waits for the end of a command and compares everything it printed.
func (t *terminal) compare(ctx context.Context, c command, next string) error {
	p := t.running
	if err := t.finish(ctx); err != nil {
		return err
	}
	if got := splitLines(p.out.String()); !matchAll(c.want, got) {
		return mismatch(c, got)
	}
	if t.status != 0 && next != askStatus {
		return fmt.Errorf("$ %s\nexit status %d: show it with %q, or mend the command; it printed:\n%s", c.text, t.status, askStatus, p.out)
	}
	return nil
}

// watch waits until a command that may go on running has printed what the page shows. If
// that is nothing, the command must be connected to its node, so that it sees what the
// next command causes.
func (t *terminal) watch(ctx context.Context, c command) error {
	p := t.running
	for {
		ended := isClosed(p.done)
		lines := p.out.lines()
		used, ok := matchSome(c.want, lines[p.seen:])
		if ok && (len(c.want) > 0 || c.typed != "" || p.connected()) {
			p.seen += used
			return nil
		}
		if ended || ctx.Err() != nil {
			return mismatch(c, lines[p.seen:])
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// connected reports whether a process of the group has a socket.
func (p *process) connected() bool {
	status, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range status {
		text, err := os.ReadFile(file)
		if err != nil || !inGroup(string(text), p.cmd.Process.Pid) {
			continue
		}
		open, _ := filepath.Glob(filepath.Dir(file) + "/fd/*")
		for _, fd := range open {
			if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, "socket:") {
				return true
			}
		}
	}
	return false
}

// inGroup reads the process group from proc(5) stat: PID (COMMAND) STATE PARENT GROUP.
func inGroup(stat string, group int) bool {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	return len(fields) > 2 && fields[2] == fmt.Sprint(group)
}

func isClosed(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// interrupt presses Ctrl-C and waits for the end.
func (t *terminal) interrupt(ctx context.Context, c command) error {
	p := t.running
	if p == nil {
		return errors.New("^C: nothing runs in this terminal")
	}
	p.signal(syscall.SIGINT)
	if err := t.finish(ctx); err != nil {
		return err
	}
	if _, ok := matchSome(c.want, p.out.lines()[p.seen:]); !ok {
		return mismatch(c, p.out.lines()[p.seen:])
	}
	return nil
}

func mismatch(c command, got []string) error {
	return fmt.Errorf("$ %s\nthe page shows:\n%s\nit printed:\n%s", c.text, strings.Join(c.want, "\n"), strings.Join(got, "\n"))
}

// terminals are those of one page.
type terminals struct {
	dir  string
	open map[string]*terminal
}

// newTerminals makes the terminals of a page; what runs in them ends with the test.
func newTerminals(t *testing.T, dir string) *terminals {
	t.Helper()
	ts := &terminals{dir: dir, open: map[string]*terminal{}}
	t.Cleanup(func() {
		var ending sync.WaitGroup
		for _, one := range ts.open {
			ending.Go(one.clear)
		}
		ending.Wait()
	})
	return ts
}

func (ts *terminals) of(b block) *terminal {
	name := b.value("terminal")
	t := ts.open[name]
	if t == nil {
		t = &terminal{name: name, env: built.env}
		ts.open[name] = t
	}
	t.dir = ts.dir
	if b.value("dir") != "" {
		t.dir = built.root
	}
	return t
}

// run types the commands of a block.
func (ts *terminals) run(t *testing.T, b block) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	term := ts.of(b)
	commands := b.commands()
	for i, c := range commands {
		next := ""
		if i+1 < len(commands) {
			next = commands[i+1].text
		}
		if err := term.do(ctx, c, next); err != nil {
			t.Fatalf("line %d: %v", b.line, err)
		}
	}
}

// environment is that of the test without what would change the commands of a page, as
// settings of Barrel and of a make around this test, and with the program first in the
// path. What Go links is not debugged, and linked twice as fast without what that takes.
func environment(bin string) []string {
	odd := regexp.MustCompile(`^(BARREL_.*|PATH|GOFLAGS|MAKEFLAGS|MFLAGS|MAKELEVEL)=`)
	env := slices.DeleteFunc(os.Environ(), odd.MatchString)
	return append(env, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "NO_COLOR=1", "GOWORK=off", "GOFLAGS=-ldflags=-s", "CHAT_DIR="+filepath.Join(bin, "chat"))
}
