package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/barrelp2p/barrel/core/admin"
)

func (a *app) streamsCommand() *cobra.Command {
	return a.talks(a.leaf("streams", "the open byte streams of the node, and who listens", func(ctx context.Context, _ []string) error {
		return a.ask(ctx, askTimeout, func(ctx context.Context, c *admin.Client) error {
			s, err := c.Streams(ctx)
			if err != nil {
				return err
			}
			return errors.Join(a.show(s, streamRows(s)), a.tellRefused(s.Refused))
		})
	}))
}

// tellRefused adds to the table how many streams of other nodes nobody took.
func (a *app) tellRefused(n uint64) error {
	if n == 0 || a.json() {
		return nil
	}
	_, err := fmt.Fprintf(a.stdout, "\nrefused: %d\n", n)
	return err
}

func streamRows(s admin.Streams) [][]string {
	rows := [][]string{{"TAG", "NODE", "DIRECTION", "SINCE", "READ", "WRITTEN"}}
	for _, tag := range s.Tags {
		rows = append(rows, []string{tag, "-", "listening", "-", "-", "-"})
	}
	for _, one := range s.Streams {
		direction := one.Direction
		if one.Waiting {
			direction = "waiting"
		}
		rows = append(rows, []string{
			one.Tag, one.Node.String(), direction, one.Since.UTC().Format("2006-01-02T15:04:05Z"), size(one.BytesRead), size(one.BytesWritten),
		})
	}
	return rows
}

func (a *app) catCommand() *cobra.Command {
	var listen bool
	cmd := a.leaf("cat TAG NODE", "standard input to a byte stream, and what comes to standard output", func(ctx context.Context, args []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		if listen {
			err = client.AcceptStream(ctx, args[0], a.stdin, a.stdout, func() { a.note("listening for %q; interrupt to end", args[0]) })
			if errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		}
		node, err := parseNode(args[1])
		if err != nil {
			return err
		}
		return client.OpenStream(ctx, args[0], node, a.stdin, a.stdout)
	})
	a.nodeFlags(cmd)
	cmd.Flags().BoolVarP(&listen, "listen", "l", false, "listen for the tag (cat -l TAG) and take the first stream that comes")
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if want := map[bool]int{true: 1, false: 2}[listen]; len(args) != want {
			return usage("cat: give TAG NODE, or -l TAG to listen")
		}
		return nil
	}
	cmd.Long = "Open a byte stream to who listens for TAG on NODE: standard input goes there, what comes back\n" +
		"goes to standard output. With -l, listen for TAG and take the first stream; it ends when the\n" +
		"other end has sent all.\n\n  barrel cat -l dump > copy            on one node\n  barrel cat dump a@10.0.0.1 < file    on another"
	return cmd
}

func (a *app) migrateCommand() *cobra.Command {
	var timeout time.Duration
	cmd := a.talks(a.leaf("migrate NODE", "move the link to a node to another local address, losing nothing", func(ctx context.Context, args []string) error {
		node, err := parseNode(args[0])
		if err != nil {
			return err
		}
		return a.ask(ctx, timeout, func(ctx context.Context, c *admin.Client) error {
			m, err := c.Migrate(ctx, node)
			if err != nil {
				return err
			}
			how := "moved"
			if m.Redialed {
				how = "made anew"
			}
			return a.show(m, [][]string{{"NODE", "FROM", "TO", "HOW"}, {m.Node.String(), orDash(m.From.String()), orDash(m.To.String()), how}})
		})
	}))
	timeoutFlag(cmd, &timeout, 5*time.Second)
	return cmd
}
