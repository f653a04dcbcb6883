package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// leaf makes a command that does something. Its arguments are those that use names:
// NAME is required, [NAME] is not.
func (a *app) leaf(use, short string, do func(ctx context.Context, args []string) error) *cobra.Command {
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args:  positional(use),
		RunE: func(_ *cobra.Command, args []string) error {
			a.began = true
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return do(ctx, args)
		},
	}
}

// positional checks the number of arguments against a usage line.
func positional(use string) cobra.PositionalArgs {
	var required, optional []string
	for _, word := range strings.Fields(use)[1:] {
		if strings.HasPrefix(word, "[") {
			optional = append(optional, word)
		} else {
			required = append(required, word)
		}
	}
	return func(_ *cobra.Command, args []string) error {
		if len(args) < len(required) {
			return fmt.Errorf("%s is missing", required[len(args)])
		}
		if most := len(required) + len(optional); len(args) > most {
			return fmt.Errorf("%q is one argument too many", args[most])
		}
		return nil
	}
}

// noun makes a command that only has verbs.
func noun(use, short string, verbs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs}
	cmd.AddCommand(verbs...)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return fmt.Errorf("%s needs a verb: %s", use, verbNames(verbs))
		}
		return unknownVerb(cmd, args[0], verbNames(verbs))
	}
	return cmd
}

func unknownVerb(cmd *cobra.Command, word, known string) error {
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(word); len(near) > 0 {
		return fmt.Errorf("unknown command %q for %q; did you mean %q?", word, cmd.CommandPath(), near[0])
	}
	return fmt.Errorf("unknown command %q for %q; there is %s", word, cmd.CommandPath(), known)
}

func verbNames(verbs []*cobra.Command) string {
	names := make([]string, len(verbs))
	for i, verb := range verbs {
		names[i] = verb.Name()
	}
	return strings.Join(names, ", ")
}
