package main

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/interfaces/name"
)

func (a *app) servicesCommand() *cobra.Command {
	var prefix string
	cmd := a.talks(a.leaf("services [PREFIX]", "the names of services, and how many instances each has",
		func(ctx context.Context, args []string) error {
			if len(args) > 0 {
				prefix = args[0]
			}
			return a.ask(ctx, askTimeout, func(ctx context.Context, c *admin.Client) error {
				services, err := c.Services(ctx, prefix)
				if err != nil {
					return err
				}
				rows := [][]string{{"NAME", "INSTANCES"}}
				for _, s := range services {
					rows = append(rows, []string{s.Name.String(), count(s.Instances)})
				}
				return a.show(services, rows)
			})
		}))
	cmd.Flags().StringVar(&prefix, "prefix", "", "only names that start like this")
	return cmd
}

func (a *app) lookupCommand() *cobra.Command {
	return a.talks(a.leaf("lookup NAME", "all instances of a service", func(ctx context.Context, args []string) error {
		service, err := name.ParseService(args[0])
		if err != nil {
			return err
		}
		return a.ask(ctx, askTimeout, func(ctx context.Context, c *admin.Client) error {
			instances, err := c.Lookup(ctx, service)
			if err != nil {
				return err
			}
			if len(instances) > 0 || a.json() {
				err = a.show(instances, a.instanceRows(instances...))
			}
			if err == nil && len(instances) == 0 {
				err = failure(admin.KindNotFound, "service %s: not found: barrel services lists what there is", service)
			}
			return err
		})
	}))
}

func (a *app) whereisCommand() *cobra.Command {
	var retries int
	var timeout time.Duration
	cmd := a.talks(a.leaf("whereis NAME", "one instance of a service, local first", func(ctx context.Context, args []string) error {
		service, err := name.ParseService(args[0])
		if err != nil {
			return err
		}
		return a.ask(ctx, timeout, func(ctx context.Context, c *admin.Client) error {
			found, err := c.Whereis(ctx, service, retries)
			if err != nil {
				return err
			}
			return a.show(found, a.instanceRows(found))
		})
	}))
	cmd.Flags().IntVar(&retries, "retries", 0, "look again so many times if there is none")
	timeoutFlag(cmd, &timeout, time.Minute)
	return cmd
}

func (a *app) instanceRows(instances ...admin.Instance) [][]string {
	rows := [][]string{{"NAME", "NODE", "REFERENCE", "LOCAL", "SINCE", "META"}}
	for _, i := range instances {
		rows = append(rows, []string{i.Name.String(), i.Node.String(), i.Ref.String(), yesNo(i.Local),
			a.ago(i.Since), metaText(i.Meta)})
	}
	return rows
}

func metaText(meta map[string]string) string {
	words := make([]string, 0, len(meta))
	for _, key := range slices.Sorted(maps.Keys(meta)) {
		words = append(words, key+"="+meta[key])
	}
	return strings.Join(words, " ")
}
