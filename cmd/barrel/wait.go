package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// waitPoll is the time between two looks at the node.
const waitPoll = 50 * time.Millisecond

// waitedFor is the document of a wait that ended well.
type waitedFor struct {
	Condition string         `json:"condition"`
	Took      admin.Duration `json:"took"`
}

// condition is something that becomes true. check says how things stand.
type condition struct {
	name  string
	check func(context.Context, *admin.Client) (holds bool, fact string, err error)
}

func (a *app) waitCommand() *cobra.Command {
	var timeout time.Duration
	var exact bool
	run := func(ctx context.Context, c condition) error { return a.wait(ctx, c, timeout) }
	ready := a.leaf("ready", "until the node accepts peers", func(ctx context.Context, _ []string) error {
		return run(ctx, isReady())
	})
	members := a.leaf("members N", "until so many members are alive, this node included",
		func(ctx context.Context, args []string) error {
			n, err := strconv.Atoi(args[0])
			if err != nil || n < 0 {
				return usage("members %q: not a number", args[0])
			}
			return run(ctx, hasMembers(n, exact))
		})
	service := a.leaf("service NAME [COUNT]", "until a service has so many instances (1); 0: until it has none",
		func(ctx context.Context, args []string) error {
			c, err := parseServiceWait(args)
			if err != nil {
				return err
			}
			return run(ctx, c)
		})
	members.Flags().BoolVar(&exact, "exactly", false, "wait for this number, not for at least this number")
	for _, cmd := range []*cobra.Command{ready, members, service} {
		a.talks(cmd)
		cmd.Flags().DurationVar(&timeout, "timeout", 30*time.Second, "how long to wait; then the exit status is 4")
	}
	return noun("wait", "block until something is true, for scripts", ready, members, service)
}

func parseServiceWait(args []string) (condition, error) {
	service, err := name.ParseService(args[0])
	if err != nil {
		return condition{}, err
	}
	n := 1
	if len(args) > 1 {
		if n, err = strconv.Atoi(args[1]); err != nil || n < 0 {
			return condition{}, usage("count %q: not a number", args[1])
		}
	}
	return hasInstances(service, n), nil
}

func isReady() condition {
	return condition{"ready", func(ctx context.Context, c *admin.Client) (bool, string, error) {
		status, err := c.Status(ctx)
		return status.Ready, "the node is not ready", err
	}}
}

func hasMembers(n int, exact bool) condition {
	return condition{fmt.Sprintf("members %d", n), func(ctx context.Context, c *admin.Client) (bool, string, error) {
		status, err := c.Status(ctx)
		alive := status.Members.Alive
		return alive == n || alive > n && !exact, fmt.Sprintf("%d alive", alive), err
	}}
}

func hasInstances(service name.Service, n int) condition {
	return condition{fmt.Sprintf("service %s %d", service, n),
		func(ctx context.Context, c *admin.Client) (bool, string, error) {
			found, err := c.Lookup(ctx, service)
			have := len(found)
			return have >= n && (n > 0 || have == 0), fmt.Sprintf("%d instances", have), err
		}}
}

// wait asks until the condition holds. A node that is not there yet is waited for too.
func (a *app) wait(ctx context.Context, c condition, timeout time.Duration) error {
	client, err := a.client()
	if err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	begun, tick := time.Now(), time.NewTicker(waitPoll)
	defer tick.Stop()
	last := "nothing was heard of the node"
	for {
		holds, fact, err := c.check(bounded, client)
		switch {
		case err == nil && holds:
			return a.waited(c, time.Since(begun))
		case err == nil:
			last = fact
		case admin.KindOf(err) == admin.KindNoNode:
			last = err.Error()
		case bounded.Err() == nil:
			return err
		}
		select {
		case <-tick.C:
		case <-bounded.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			return failure(admin.KindTimeout, "wait %s: not within %s: %s", c.name, timeout, last)
		}
	}
}

func (a *app) waited(c condition, took time.Duration) error {
	if !a.json() {
		return nil
	}
	return a.show(waitedFor{Condition: c.name, Took: admin.Duration(took)}, nil)
}
