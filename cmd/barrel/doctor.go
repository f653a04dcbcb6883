package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// doctorTimeout bounds a whole examination; the node bounds each check.
const doctorTimeout = 2 * time.Minute

func (a *app) doctorCommand() *cobra.Command {
	cmd := a.talks(a.leaf("doctor [NODE]", "why things do not work, and what to do next", func(ctx context.Context, args []string) error {
		var node name.Node
		if len(args) > 0 {
			var err error
			if node, err = parseNode(args[0]); err != nil {
				return err
			}
		}
		checks, err := a.examine(ctx, node)
		if err != nil {
			return err
		}
		return a.examined(checks)
	}))
	cmd.Long = `Look for reasons why things do not work, and say what to do next.

The running node examines itself; without one its files and settings are examined. With NODE,
the way to that node is examined too. The exit status is 1 if anything is wrong.`
	return cmd
}

func (a *app) examine(ctx context.Context, node name.Node) (checks []admin.Check, err error) {
	err = a.ask(ctx, doctorTimeout, func(ctx context.Context, c *admin.Client) error {
		checks, err = c.Doctor(ctx, node)
		return err
	})
	if admin.KindOf(err) != admin.KindNoNode {
		return checks, err
	}
	a.note("no running node: its files and settings are examined instead")
	cfg, err := a.loadConfig()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	return a.deps.doctor(ctx, cfg, node), nil
}

func (a *app) examined(checks []admin.Check) error {
	paint := a.paint()
	failed := 0
	rows := [][]string{}
	for _, c := range checks {
		if c.Outcome == "fail" {
			failed++
		}
		rows = append(rows, []string{c.Outcome, c.Check, c.Fact})
		if c.Next != "" {
			rows = append(rows, []string{"", "", "-> " + c.Next})
		}
	}
	if err := a.show(checks, rows); err != nil {
		return err
	}
	if failed > 0 {
		if !a.json() {
			a.note("%s", paint.bad(fmt.Sprintf("%d of %d checks failed", failed, len(checks))))
		}
		return shown(admin.KindFailed)
	}
	return nil
}
