package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// pingEvery is the time between the starts of two round trips.
const pingEvery = 200 * time.Millisecond

func (a *app) pingCommand() *cobra.Command {
	var times int
	var timeout time.Duration
	cmd := a.talks(a.leaf("ping NODE", "round trips to another node, opening a link on demand",
		func(ctx context.Context, args []string) error {
			node, err := parseNode(args[0])
			if err != nil {
				return err
			}
			if times < 1 {
				return usage("ping -n %d: at least 1", times)
			}
			return a.ping(ctx, node, times, timeout)
		}))
	cmd.Flags().IntVarP(&times, "count", "n", 1, "how many round trips")
	timeoutFlag(cmd, &timeout, 5*time.Second)
	return cmd
}

func (a *app) ping(ctx context.Context, node name.Node, times int, timeout time.Duration) error {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for seq := 1; ; seq++ {
		err := a.ask(ctx, timeout, func(ctx context.Context, c *admin.Client) error {
			took, err := c.Ping(ctx, node)
			if err != nil {
				return err
			}
			return a.showLine(admin.Round{Seq: seq, RTT: admin.Duration(took)},
				fmt.Sprintf("%s: seq %d, %s", node, seq, short(took)))
		})
		if err != nil || seq == times {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
