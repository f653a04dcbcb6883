package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/barrelp2p/barrel/core/admin"
)

func (a *app) membersCommand() *cobra.Command {
	return a.talks(a.leaf("members", "the members of the cluster", func(ctx context.Context, _ []string) error {
		return a.ask(ctx, askTimeout, func(ctx context.Context, c *admin.Client) error {
			members, err := c.Members(ctx)
			if err != nil {
				return err
			}
			return a.show(members, a.memberRows(members))
		})
	}))
}

func (a *app) memberRows(members []admin.Member) [][]string {
	rows := [][]string{{"NODE", "STATE", "INCARNATION", "ADDRESS", "NEIGHBOUR", "SINCE"}}
	for _, m := range members {
		rows = append(rows, []string{m.Node.String(), m.State, fmt.Sprint(m.Incarnation),
			orDash(m.Address.String()), yesNo(m.Neighbour), a.ago(m.Since)})
	}
	return rows
}

func (a *app) viewCommand() *cobra.Command {
	return a.talks(a.leaf("view", "the neighbours of the node, and its reserve", func(ctx context.Context, _ []string) error {
		return a.ask(ctx, askTimeout, func(ctx context.Context, c *admin.Client) error {
			view, err := c.View(ctx)
			if err != nil {
				return err
			}
			rows := [][]string{{"VIEW", "NODE"}}
			for _, node := range view.Active {
				rows = append(rows, []string{"active", node.String()})
			}
			for _, node := range view.Passive {
				rows = append(rows, []string{"passive", node.String()})
			}
			return a.show(view, rows)
		})
	}))
}
