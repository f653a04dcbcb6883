package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// demoTimeout bounds the whole demo.
const demoTimeout = 55 * time.Second

func (a *app) demoCommand() *cobra.Command {
	cmd := a.leaf("demo", "three nodes on this machine, start to end, narrated", func(ctx context.Context, _ []string) error {
		return a.demo(ctx)
	})
	cmd.Long = `Three nodes on this machine find each other by a file, a table and DNS, prove who they are, and
call each other; a strict one refuses a stranger; one is killed and one leaves. Takes less than a
minute, needs nothing, uses 127.0.0.1 and a temporary folder only, and cleans up.`
	return cmd
}

func (a *app) demo(ctx context.Context) error {
	survivePipe()
	ctx, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	s, err := a.newStage(ctx)
	if err != nil {
		return err
	}
	s.quit = cancel
	err = s.play(ctx)
	if err != nil && !errors.Is(err, context.Canceled) {
		s.showLogs()
	}
	s.clear()
	if err == nil {
		s.say("")
		s.say("%s in %s. Now your own: barrel run, and barrel config defaults.", s.paint.good("Done"), short(time.Since(s.begun)))
	}
	switch {
	case s.deaf != nil:
		return fmt.Errorf("demo: %w: interrupted; everything it started is stopped", s.deaf)
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return errors.New("demo: interrupted; everything it started is stopped")
	}
	return fmt.Errorf("demo: %w", err)
}

// stage is where the demo plays: its nodes, its name server, its folder.
type stage struct {
	app   *app
	paint paint
	begun time.Time
	exe   string
	env   []string
	dir   string
	dns   *demoDNS
	nodes []*actor
	crew  []*child // processes that are no nodes
	acts  int
	quit  context.CancelFunc // ends the play
	deaf  error              // why nobody hears it any more
}

// actor is one node of the demo.
type actor struct {
	*child
	name    name.Node
	dir     string
	address name.Address
}

func (n *actor) socket() string { return filepath.Join(n.dir, "run", "admin.sock") }

func (n *actor) client() *admin.Client { return admin.NewClient(n.socket()) }

func (a *app) newStage(ctx context.Context) (*stage, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("demo: where is this program: %w", err)
	}
	dir, err := demoDir()
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	s := &stage{app: a, paint: a.paint(), begun: time.Now(), exe: exe, env: withoutSettings(a.environ), dir: dir}
	if s.dns, err = startDemoDNS(ctx); err != nil {
		s.clear()
		return nil, fmt.Errorf("demo: %w", err)
	}
	return s, nil
}

// demoDir makes a folder whose path leaves room for the name of a socket.
func demoDir() (string, error) {
	parent := os.TempDir()
	if len(parent) > 60 {
		parent = "/tmp"
	}
	return os.MkdirTemp(parent, "barrel-demo-")
}

// withoutSettings is the environment without what would change the nodes of the demo.
func withoutSettings(environ []string) []string {
	var kept []string
	for _, variable := range environ {
		if !strings.HasPrefix(variable, "BARREL_") {
			kept = append(kept, variable)
		}
	}
	return kept
}

// play is the demo, act by act.
func (s *stage) play(ctx context.Context) error {
	s.say("%s", s.paint.title("Barrel: three nodes on this machine, and what can happen to them."))
	for _, act := range []func(context.Context) error{
		s.actStart, s.actDiscovery, s.actMembers, s.actCall, s.actStranger, s.actKill, s.actLeave,
	} {
		if err := act(ctx); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// clear ends every process that was started and removes the folder.
func (s *stage) clear() {
	for _, c := range s.crew {
		_ = c.stop()
	}
	ended := make(chan struct{})
	for _, n := range s.nodes {
		go func() {
			_ = n.stop()
			ended <- struct{}{}
		}()
	}
	for range s.nodes {
		<-ended
	}
	if s.dns != nil {
		s.dns.stop()
	}
	if err := os.RemoveAll(s.dir); err != nil {
		s.app.note("demo: left behind: %v", err)
	}
}

func (s *stage) showLogs() {
	for _, n := range s.nodes {
		s.app.note("--- end of the log of %s ---", n.name)
		lines := strings.Split(strings.TrimSpace(n.log.String()), "\n")
		for _, line := range lines[max(0, len(lines)-15):] {
			s.app.note("    %s", clean(line))
		}
	}
}

// say prints a line. If nobody reads any more, the play ends as by an interrupt.
func (s *stage) say(format string, args ...any) {
	if s.deaf != nil {
		return
	}
	if _, s.deaf = fmt.Fprintf(s.app.stdout, format+"\n", args...); s.deaf != nil {
		s.quit()
	}
}

// survivePipe turns writing to a pipe that nobody reads from the end of the process
// into an error, so that there is time to clean up. It is not undone, as the process
// ends soon; and it is no signal.Ignore, which the nodes would inherit.
func survivePipe() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// title begins an act.
func (s *stage) title(text string) {
	s.acts++
	s.say("")
	s.say("%s", s.paint.title(fmt.Sprintf("%d. %s", s.acts, text)))
}

// quote shows what a program printed.
func (s *stage) quote(text string) {
	for line := range strings.Lines(strings.TrimRight(text, "\n") + "\n") {
		s.say("%s", strings.TrimRight("    "+clean(strings.TrimRight(line, "\n")), " "))
	}
}
