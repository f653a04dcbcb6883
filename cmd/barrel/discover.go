package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/barrelp2p/barrel/core/admin"
)

func (a *app) discoverCommand() *cobra.Command {
	var explain bool
	var timeout time.Duration
	cmd := a.talks(a.leaf("discover NODE", "where a node can be dialed, and who says so",
		func(ctx context.Context, args []string) error {
			node, err := parseNode(args[0])
			if err != nil {
				return err
			}
			return a.ask(ctx, timeout, func(ctx context.Context, c *admin.Client) error {
				found, err := c.Discover(ctx, node, explain)
				if err != nil {
					return err
				}
				return a.discovered(found, explain)
			})
		}))
	cmd.Flags().BoolVar(&explain, "explain", false, "ask afresh, and show what each backend said")
	timeoutFlag(cmd, &timeout, 30*time.Second)
	return cmd
}

// discovered shows the answer; none is a failure, with the steps for an explanation.
func (a *app) discovered(d admin.Discovery, explain bool) error {
	rows := [][]string{}
	if explain {
		rows = append(stepRows(d.Steps), []string{""})
	}
	if d.Answer.Backend != "" {
		rows = append(rows, []string{answerLine(d)})
	}
	if err := a.show(d, rows); err != nil {
		return err
	}
	if d.Answer.Backend == "" {
		return failure(admin.KindNotFound, "node %s: no discovery backend knows it: see barrel discover %s --explain", d.Node, d.Node)
	}
	return nil
}

// freshFor is how old an answer may be before its age is worth a word.
const freshFor = admin.Duration(10 * time.Second)

func answerLine(d admin.Discovery) string {
	line := fmt.Sprintf("%s is at %s, says %s", d.Node, joined(d.Answer.Endpoints), d.Answer.Backend)
	if d.Answer.Stale || d.Answer.Age >= freshFor {
		line += fmt.Sprintf(" (%s old)", shortAdmin(d.Answer.Age))
	}
	if d.Answer.Stale {
		line += ": STALE, from memory, as nobody could answer now"
	}
	return line
}

func stepRows(steps []admin.DiscoveryStep) [][]string {
	rows := [][]string{{"BACKEND", "OUTCOME", "TOOK", "ENDPOINTS", "ERROR"}}
	for _, s := range steps {
		rows = append(rows, []string{s.Backend, s.Outcome, shortAdmin(s.Took), joined(s.Endpoints), s.Error})
	}
	return rows
}
