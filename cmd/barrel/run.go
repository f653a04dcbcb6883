package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/core/config"
)

const (
	// drain is how long stopping may take beyond node.leave_timeout.
	drain = 5 * time.Second
	// oneSignal is how long after a first signal another one is taken for the same: timeout
	// and others send one to the process and one to its group.
	oneSignal = 500 * time.Millisecond
)

func (a *app) runCommand() *cobra.Command {
	var src *config.Sources
	cmd := &cobra.Command{
		Use:   "run",
		Short: "run a node in the foreground",
		Long: `Run a node in the foreground, with no configuration at all or with as much as you like:
plugin defaults, then the file, then the environment (BARREL_TRANSPORT__QUIC__LISTEN), then flags.

Logs go to stderr; "ready NAME ADDR" is printed on stdout once the node accepts peers. SIGTERM and
SIGINT leave the cluster and stop (another one, half a second later, stops at once); SIGHUP reads the configuration again.`,
		Args: positional("run"),
		RunE: func(*cobra.Command, []string) error {
			a.began = true
			return a.runNode(*src)
		},
	}
	src = a.sourceFlags(cmd)
	return cmd
}

func (a *app) runNode(src config.Sources) error {
	cfg, err := a.load(context.Background(), src)
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	release, err := a.holdLifeline(signals)
	if err != nil {
		return err
	}
	defer release()

	log := a.logger(cfg.Log)
	metrics, err := newMetrics(cfg.Telemetry.Prometheus, log)
	if err != nil {
		return err
	}
	node, err := a.deps.newNode(cfg, append(metrics.options(),
		core.WithLogger(log), core.WithVersion(buildVersion().Version),
		core.WithReload(func() (*config.Config, error) { return a.load(context.Background(), src) }))...)
	if err != nil {
		return unusable(err)
	}
	if err := metrics.start(context.Background()); err != nil {
		return err
	}
	r := &runner{app: a, node: node, log: log, signals: signals, patience: cfg.Node.LeaveTimeout + drain}
	return errors.Join(r.run(), metrics.stop())
}

// unusable is the error of a node that cannot be made: its configuration is wrong in a
// way that only shows when the parts are put together.
func unusable(err error) error {
	var problems *config.Problems
	if err == nil || errors.As(err, &problems) {
		return err
	}
	if admin.KindOf(err) != admin.KindFailed {
		return err
	}
	return failure(admin.KindUsage, "configuration: %v", err)
}

func (a *app) logger(cfg config.Log) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(cfg.Level)) // one of four words, as the configuration checked
	options := &slog.HandlerOptions{Level: level}
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(a.stderr, options))
	}
	return slog.New(slog.NewTextHandler(a.stderr, options))
}

// runner is a node and the signals that rule it.
type runner struct {
	app      *app
	node     *core.Node
	log      *slog.Logger
	signals  <-chan os.Signal
	patience time.Duration // for stopping
	asked    time.Time     // when a signal asked to stop
}

func (r *runner) run() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	started := make(chan error, 1)
	go func() { started <- r.node.Start(ctx) }()
	for {
		select {
		case err := <-started:
			if err != nil {
				return err
			}
			return r.serve()
		case s := <-r.signals:
			if s == syscall.SIGHUP {
				continue
			}
			cancel()
			if err := <-started; err == nil {
				r.asked = time.Now()
				return r.stop()
			}
			return nil
		}
	}
}

// serve waits for a signal, or for the node to fail.
func (r *runner) serve() error {
	address := "-"
	if at := r.node.Addresses(); len(at) > 0 {
		address = at[0].String()
	}
	_, _ = fmt.Fprintf(r.app.stdout, "ready %s %s\n", r.node.Name(), address)
	for {
		select {
		case err := <-r.node.Failed():
			return errors.Join(err, r.stop())
		case s := <-r.signals:
			if s != syscall.SIGHUP {
				r.asked = time.Now()
				r.log.Info("stopping", "signal", s.String())
				return r.stop()
			}
			r.reload()
		}
	}
}

// stop leaves and stops; a further signal gives up waiting.
func (r *runner) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), r.patience)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- r.node.Stop(ctx) }()
	for {
		select {
		case err := <-stopped:
			return err
		case s := <-r.signals:
			if s != syscall.SIGHUP && time.Since(r.asked) > oneSignal {
				return fmt.Errorf("stopped at once by a second signal (%s): peers see a failure", s)
			}
		}
	}
}

// reload reads the configuration again; what is wrong with it goes to the log, and the
// node goes on as it was.
func (r *runner) reload() {
	control, err := r.node.Admin()
	if err != nil {
		r.log.Error("not reloaded", "error", err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.patience)
	defer cancel()
	changes, err := control.Reload(ctx)
	for _, change := range changes {
		r.log.Info("reloaded", "change", change)
	}
	if err != nil {
		r.log.Error("not reloaded", "error", err)
		return
	}
	r.log.Info("configuration read again", "changes", len(changes))
}
