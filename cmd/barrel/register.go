package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/interfaces/name"
)

func (a *app) registerCommand() *cobra.Command {
	var meta []string
	var command string
	cmd := a.talks(a.leaf("register NAME", "hold a service until interrupted, and print what it gets",
		func(ctx context.Context, args []string) error {
			service, err := name.ParseService(args[0])
			if err != nil {
				return err
			}
			pairs, err := parseMeta(meta)
			if err != nil {
				return err
			}
			return a.register(ctx, service, pairs, command)
		}))
	cmd.Long = `Register a service and hold it until this command ends or its connection breaks.

Each message and call is printed. With --exec, CMD runs in a shell for each call: its standard
input is the payload, its standard output the answer; a non-zero exit makes the call fail with
the end of its standard error. Without --exec a call is answered with nothing.`
	cmd.Flags().StringArrayVar(&meta, "meta", nil, "metadata as key=value; may be repeated")
	cmd.Flags().StringVar(&command, "exec", "", "shell command that answers calls")
	return cmd
}

func parseMeta(pairs []string) (map[string]string, error) {
	meta := map[string]string{}
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, usage("--meta %q: write key=value", pair)
		}
		if _, twice := meta[key]; twice {
			return nil, usage("--meta %q: key %q is there twice", pair, key)
		}
		meta[key] = value
	}
	return meta, nil
}

func (a *app) register(ctx context.Context, service name.Service, meta map[string]string, command string) error {
	client, err := a.client()
	if err != nil {
		return err
	}
	started := func(i admin.Instance) { a.note("registered %s as %s", i.Name, i.Ref) }
	printer := &deliveryPrinter{app: a}
	handle := func(ctx context.Context, d admin.Delivery) ([]byte, error) {
		if err := printer.print(d); err != nil {
			return nil, err
		}
		if !d.Call || command == "" {
			return nil, nil
		}
		return runShell(ctx, command, d, a.environ)
	}
	err = client.Register(ctx, service, meta, started, handle)
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// deliveryPrinter prints deliveries one at a time; calls come several at once.
type deliveryPrinter struct {
	mu  sync.Mutex
	app *app
}

func (p *deliveryPrinter) print(d admin.Delivery) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.app.showLine(d, deliveryLine(d))
}

func deliveryLine(d admin.Delivery) string {
	kind := "message"
	if d.Call {
		kind = "call"
	}
	return fmt.Sprintf("%s from %s: %s", kind, orDash(d.From.String()), payloadText(d.Payload))
}
