package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// joined and left are the documents of join and leave.
type joinedDocument struct {
	Joined name.Node `json:"joined"`
}

type leftDocument struct {
	Left bool `json:"left"`
}

func (a *app) joinCommand() *cobra.Command {
	var timeout time.Duration
	cmd := a.talks(a.leaf("join NODE", "join a cluster through a node", func(ctx context.Context, args []string) error {
		through, err := parseNode(args[0])
		if err != nil {
			return err
		}
		return a.ask(ctx, timeout, func(ctx context.Context, c *admin.Client) error {
			if err := c.Join(ctx, through); err != nil {
				return err
			}
			return a.show(joinedDocument{through}, [][]string{{"joined through " + through.String()}})
		})
	}))
	timeoutFlag(cmd, &timeout, 30*time.Second)
	return cmd
}

func (a *app) leaveCommand() *cobra.Command {
	var timeout time.Duration
	cmd := a.talks(a.leaf("leave", "leave the cluster and stay out until told to join", func(ctx context.Context, _ []string) error {
		return a.ask(ctx, timeout, func(ctx context.Context, c *admin.Client) error {
			if err := c.Leave(ctx); err != nil {
				return err
			}
			return a.show(leftDocument{true}, [][]string{{"left; barrel join NODE comes back"}})
		})
	}))
	timeoutFlag(cmd, &timeout, 30*time.Second)
	return cmd
}
