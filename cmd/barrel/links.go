package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/barrelp2p/barrel/core/admin"
)

func (a *app) linksCommand() *cobra.Command {
	return a.talks(a.leaf("links", "the open connections of the node", func(ctx context.Context, _ []string) error {
		return a.ask(ctx, askTimeout, func(ctx context.Context, c *admin.Client) error {
			links, err := c.Links(ctx)
			if err != nil {
				return err
			}
			return a.show(links, linkRows(links))
		})
	}))
}

func linkRows(links []admin.Link) [][]string {
	rows := [][]string{{"NODE", "ADDRESS", "LOCAL", "DIRECTION", "AGE", "IDLE", "RTT", "SENT", "RECEIVED", "STREAMS", "ACTIVE VIEW"}}
	for _, l := range links {
		rows = append(rows, []string{
			l.Node.String(), orDash(l.Address.String()), orDash(l.Local.String()), l.Direction,
			shortAdmin(l.Age), shortAdmin(l.Idle), shortAdmin(l.RTT),
			size(l.BytesSent), size(l.BytesReceived), count(l.Streams), yesNo(l.ActiveView),
		})
	}
	return rows
}
