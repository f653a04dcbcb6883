package external

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// Why a process is not used; test with errors.Is.
var (
	// ErrChecksum: the program is none of those that the settings allow.
	ErrChecksum = errors.New("checksum does not match")
	// ErrVersion: host and plugin have no version of the greeting or of the contract in
	// common, or the plugin is of another kind.
	ErrVersion = errors.New("no version in common")
	// ErrNotReady: the process did not greet in time, or not in the right words.
	ErrNotReady = errors.New("did not become ready")
	// ErrSocketPath: there is no directory whose name is short enough for a socket.
	ErrSocketPath = errors.New("socket path too long")
	// ErrBusy: as many calls are under way as one process may have.
	ErrBusy = errors.New("too many calls at once")
)

// Spec is how to run one plugin.
type Spec struct {
	Kind    plugin.Kind
	Name    string // as the settings call it
	Command string // absolute path of the program
	Args    []string
	Env     map[string]string // all that the process sees
	SHA256  []string          // in hex, any of them; none: whatever stands there is run
	Timeout time.Duration     // of one call; 0: 5 s
	Sandbox *Sandbox          // nil: it may what the user of the node may
}

// ID is kind/name.
func (s Spec) ID() string { return string(s.Kind) + "/" + s.Name }

// label is how errors name it: discovery(consul).
func (s Spec) label() string { return fmt.Sprintf("%s(%s)", s.Kind, s.Name) }

func (s Spec) validate() error {
	switch {
	case !filepath.IsAbs(s.Command):
		return fmt.Errorf("plugin %s: command %q is no absolute path: programs are not searched for", s.ID(), s.Command)
	case s.Timeout < 0:
		return fmt.Errorf("plugin %s: timeout %s is negative", s.ID(), s.Timeout)
	}
	if err := s.Sandbox.validate(); err != nil {
		return fmt.Errorf("plugin %s: %w", s.ID(), err)
	}
	for _, key := range slices.Sorted(maps.Keys(s.Env)) {
		if strings.HasPrefix(key, "PLUGIN_") || strings.HasPrefix(key, "BARREL_PLUGIN") {
			return fmt.Errorf("plugin %s: variable %s belongs to the greeting: give yours another name", s.ID(), key)
		}
	}
	return nil
}

// environ is what the process sees of the settings, in order.
func (s Spec) environ() []string {
	var env []string
	for _, key := range slices.Sorted(maps.Keys(s.Env)) {
		env = append(env, key+"="+s.Env[key])
	}
	return env
}

// Options are the patience and the limits. The zero Options are good.
type Options struct {
	Version   string        // of this program, told to plugins
	Start     time.Duration // to launch, to be configured, and to start, each; 0: 10 s
	Health    time.Duration // between questions after the health; 0: 1 s
	Misses    int           // questions in a row without an answer that mean that it hangs; 0: 3
	Grace     time.Duration // for a process to end by itself when it is told to; 0: 2 s
	Backoff   time.Duration // before the first restart; doubles up to MaxPause; 0: 1 s
	MaxPause  time.Duration // 0: 30 s
	Budget    int           // restarts within Window; one more and the plugin has failed; 0: 5
	Window    time.Duration // 0: 5 min
	Calls     int           // at the same time; 0: 256
	Settle    time.Duration // for a new membership or registry to learn what the one before knew; 0: 1 min
	Strict    bool          // Stop is an error if the plugin had to be killed, for those who test plugins
	SocketDir string        // where the private directories of sockets are made; "": chosen
}

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{
		{&o.Start, 10 * time.Second}, {&o.Health, time.Second}, {&o.Grace, 2 * time.Second},
		{&o.Backoff, time.Second}, {&o.MaxPause, 30 * time.Second}, {&o.Window, 5 * time.Minute},
		{&o.Settle, time.Minute},
	} {
		if *d.value == 0 {
			*d.value = d.standard
		}
	}
	for _, n := range []struct {
		value    *int
		standard int
	}{{&o.Misses, 3}, {&o.Budget, 5}, {&o.Calls, 256}} {
		if *n.value == 0 {
			*n.value = n.standard
		}
	}
	return o
}

// GoneError says how a process ended; it is plugin.ErrGone. Lines are the last lines of
// its output, at most 200.
type GoneError struct {
	How   string // exit status 2, signal: killed
	Lines []string
}

// Error has the line that tells most: where a panic began, or the last one.
func (e *GoneError) Error() string {
	text := plugin.ErrGone.Error()
	if e.How != "" {
		text += ": " + e.How
	}
	if said := telling(e.Lines); said != "" {
		text += ": " + said
	}
	return text
}

// Unwrap is plugin.ErrGone.
func (e *GoneError) Unwrap() error { return plugin.ErrGone }

// LogValue has all the lines.
func (e *GoneError) LogValue() slog.Value {
	return slog.GroupValue(slog.String("how", e.How), slog.String("last_lines", strings.Join(e.Lines, "\n")))
}

// telling is the line of a log that says most about an end.
func telling(lines []string) string {
	for _, line := range lines {
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			return line
		}
	}
	if len(lines) == 0 {
		return ""
	}
	return lines[len(lines)-1]
}
