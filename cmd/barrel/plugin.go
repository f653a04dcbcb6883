package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

func (a *app) pluginCommand() *cobra.Command {
	list := a.talks(a.leaf("list", "what is built in and what runs outside", func(ctx context.Context, _ []string) error {
		plugins, err := a.plugins(ctx)
		if err != nil {
			return err
		}
		return a.show(plugins, pluginRows(plugins))
	}))
	reload := a.talks(a.leaf("reload KIND/NAME", "start the process of a plugin anew, as the configuration says now; a bad one leaves the old one in place",
		func(ctx context.Context, args []string) error { return a.reloadPlugin(ctx, args[0]) }))
	return noun("plugin", "the plugins of the node", list, reload, a.pluginServeCommand(), a.pluginTestCommand(),
		a.pluginNewCommand(), a.pluginPinCommand())
}

func (a *app) reloadPlugin(ctx context.Context, id string) error {
	kind, name, found := strings.Cut(id, "/")
	if !found {
		return usage("%q is no KIND/NAME: write it as discovery/mine", id)
	}
	return a.ask(ctx, reloadTimeout, func(ctx context.Context, c *admin.Client) error {
		p, err := c.ReplacePlugin(ctx, kind, name)
		if err != nil {
			return err
		}
		return a.show(p, pluginRows([]admin.Plugin{p}))
	})
}

// reloadTimeout is enough for a process that takes its time to start.
const reloadTimeout = 30 * time.Second

// plugins asks the node; without one the answer is what is built in, none of it in use.
func (a *app) plugins(ctx context.Context) (plugins []admin.Plugin, err error) {
	err = a.ask(ctx, askTimeout, func(ctx context.Context, c *admin.Client) error {
		plugins, err = c.Plugins(ctx)
		return err
	})
	if admin.KindOf(err) == admin.KindNoNode {
		a.note("no running node: this is what is built in")
		return a.deps.plugins(), nil
	}
	return plugins, err
}

func pluginRows(plugins []admin.Plugin) [][]string {
	rows := [][]string{{"KIND", "NAME", "WHERE", "VERSION", "CONTRACT", "HEALTH", "PID", "RESTARTS"}}
	for _, p := range plugins {
		where, pid := "built in", "-"
		if p.External {
			where, pid = "process", count(p.PID)
		}
		if p.Sandbox != "" {
			where = "sandbox"
		}
		if p.External && p.Kind == string(plugin.Transport) {
			where += ", experimental"
		}
		rows = append(rows, []string{p.Kind, p.Name, where, orDash(p.Version), p.Contract, p.Health, pid, count(p.Restarts)})
	}
	return rows
}
