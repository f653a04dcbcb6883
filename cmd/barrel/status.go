package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/barrelp2p/barrel/core/admin"
)

func (a *app) statusCommand() *cobra.Command {
	return a.talks(a.leaf("status", "one page about the node", func(ctx context.Context, _ []string) error {
		return a.ask(ctx, askTimeout, func(ctx context.Context, c *admin.Client) error {
			status, err := c.Status(ctx)
			if err != nil {
				return err
			}
			return a.show(status, a.statusRows(status))
		})
	}))
}

func (a *app) statusRows(s admin.Status) [][]string {
	ready := "ready"
	if !s.Ready {
		ready = "not ready"
	}
	rows := [][]string{
		{"node", fmt.Sprintf("%s (%s)", s.Node, ready)},
		{"cluster", s.Cluster},
		{"version", orDash(s.Version)},
		{"address", orDash(s.Address.String())},
		{"fingerprint", orDash(s.Fingerprint)},
		{"incarnation", fmt.Sprint(s.Incarnation)},
		{"started", fmt.Sprintf("%s (%s)", stamp(s.Started), a.ago(s.Started))},
		{"members", fmt.Sprintf("%d alive, %d suspect, %d down, %d left",
			s.Members.Alive, s.Members.Suspect, s.Members.Down, s.Members.Left)},
		{"active view", joined(s.View.Active)},
		{"passive view", joined(s.View.Passive)},
		{"links", count(s.Links)},
		{"services", count(s.Services)},
	}
	rows = append(rows, slotRow("transport", s.Slots.Transport))
	for _, backend := range s.Slots.Discovery {
		rows = append(rows, slotRow("discovery", backend))
	}
	rows = append(rows, slotRow("trust", s.Slots.Trust), slotRow("membership", s.Slots.Membership),
		slotRow("registry", s.Slots.Registry))
	for _, warning := range s.Warnings {
		rows = append(rows, []string{"warning", warning})
	}
	return rows
}

func slotRow(kind string, s admin.Slot) []string {
	text := fmt.Sprintf("%s: %s", orDash(s.Plugin), orDash(s.Health))
	switch {
	case s.Sandbox != "":
		text += " (external, in a sandbox: " + s.Sandbox + ")"
	case s.External:
		text += " (external)"
	}
	if s.Detail != "" {
		text += ", " + s.Detail
	}
	return []string{kind, text}
}
