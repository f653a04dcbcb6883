package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/core/config"
)

// app is one run of the program and the world around it.
type app struct {
	stdin    io.Reader
	stdout   io.Writer
	stderr   io.Writer
	environ  []string
	now      func() time.Time
	terminal bool // stdout is one
	deps     deps

	began  bool   // the code of a command runs: from here on errors are not about usage
	output string // -o
	talk   talkFlags
}

func newApp() *app {
	return &app{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		environ: os.Environ(), now: time.Now, terminal: isTerminal(os.Stdout),
		deps: realDeps(),
	}
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// variable is an environment variable, "" if there is none.
func (a *app) variable(name string) string {
	for i := len(a.environ) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(a.environ[i], name+"="); ok {
			return value
		}
	}
	return ""
}

// run is the whole program: it returns the exit status.
func (a *app) run(args []string) int {
	root := a.root()
	root.SetArgs(args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	ran, err := root.ExecuteC()
	if err != nil && !a.began {
		err = usageIn(ran, err)
	}
	return a.exit(err)
}

// errShown is a failure that stdout tells already, as part of a result.
var errShown = errors.New("shown already")

func shown(kind admin.Kind) error { return fmt.Errorf("%w%w", errShown, failure(kind, "")) }

// exit says what went wrong and returns the exit status that stands for it.
func (a *app) exit(err error) int {
	var problems *config.Problems
	switch {
	case err == nil:
		return 0
	case errors.As(err, &problems):
		_, _ = fmt.Fprintln(a.stderr, problems.Error())
		return exitStatus(admin.KindUsage)
	case errors.Is(err, errShown):
	case errors.Is(err, context.Canceled):
		_, _ = fmt.Fprintln(a.stderr, "barrel: interrupted")
	default:
		_, _ = fmt.Fprintln(a.stderr, "barrel: "+clean(err.Error()))
	}
	return exitStatus(admin.KindOf(err))
}

func exitStatus(kind admin.Kind) int {
	switch kind {
	case admin.KindUsage:
		return 2
	case admin.KindNoNode:
		return 3
	case admin.KindTimeout:
		return 4
	case admin.KindRefused:
		return 5
	case admin.KindNotFound:
		return 6
	case admin.KindFailed:
	}
	return 1
}

func failure(kind admin.Kind, format string, args ...any) error {
	return &admin.Error{Kind: kind, Text: fmt.Sprintf(format, args...)}
}

func usage(format string, args ...any) error { return failure(admin.KindUsage, format, args...) }

func usageIn(cmd *cobra.Command, err error) error {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return usage("%s: see %s -h", text, cmd.CommandPath())
}
