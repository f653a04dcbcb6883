package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/barrelp2p/barrel/core/admin"
)

func (a *app) eventsCommand() *cobra.Command {
	var watch admin.Watch
	cmd := a.talks(a.leaf("events", "what happens, as it happens, until interrupted", func(ctx context.Context, _ []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		started := func() { a.note("watching; interrupt to end") }
		err = client.Events(ctx, watch, started, func(e admin.Event) error { return a.showLine(e, eventLine(e)) })
		if errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	}))
	known := admin.EventKinds()
	cmd.Flags().StringSliceVar(&watch.Kinds, "kinds", nil, "only these kinds: "+strings.Join(known, ","))
	cmd.Flags().BoolVar(&watch.Initial, "initial", false, "begin with what is the case already, so that nothing is missed")
	_ = cmd.RegisterFlagCompletionFunc("kinds", cobra.FixedCompletions(known, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// eventLine is an event for people: when, what, who, and what else is known.
func eventLine(e admin.Event) string {
	words := []string{e.Time.UTC().Format("2006-01-02T15:04:05.000Z"), fmt.Sprintf("%-8s", e.Kind), fmt.Sprintf("%-12s", e.Type)}
	for _, word := range []string{e.Node.String(), e.Name} {
		if word != "" {
			words = append(words, word)
		}
	}
	if e.Reason != "" {
		words = append(words, "("+e.Reason+")")
	}
	if len(e.Extra) > 0 {
		words = append(words, metaText(e.Extra))
	}
	return strings.TrimRight(clean(strings.Join(words, " ")), " ")
}
