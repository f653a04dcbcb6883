package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/core/config"
)

// sourceFlags are the flags that a configuration is made of.
func (a *app) sourceFlags(cmd *cobra.Command) *config.Sources {
	src := &config.Sources{Environ: a.environ}
	flags := cmd.Flags()
	flags.StringVarP(&src.File, "config", "c", "", "configuration file: YAML, or JSON or TOML by extension")
	flags.StringArrayVar(&src.Sets, "set", nil, "one setting, as transport.quic.listen=:9100; may be repeated")
	flags.StringVar(&src.Name, "name", "", "name@host of the node")
	flags.StringVar(&src.Listen, "listen", "", "address to listen on, as :9100")
	flags.StringVar(&src.DataDir, "data-dir", "", "directory of all files of the node")
	flags.StringArrayVar(&src.Join, "join", nil, "node to join through; may be repeated")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml", "json", "toml")
	_ = cmd.MarkFlagDirname("data-dir")
	return src
}

func (a *app) configCommand() *cobra.Command {
	return noun("config", "check, show and explain the configuration",
		a.configCheckCommand(), a.configShowCommand(), a.configDefaultsCommand(), a.configSchemaCommand())
}

// checkDocument is the result of config check.
type checkDocument struct {
	Problems []problemDocument `json:"problems"`
}

type problemDocument struct {
	Place string `json:"place"` // file:line:column, variable or flag
	Path  string `json:"path"`
	Text  string `json:"text"`
	Hint  string `json:"hint"`
}

func (a *app) configCheckCommand() *cobra.Command {
	var src *config.Sources
	cmd := a.leaf("check", "validate the configuration as run would", func(ctx context.Context, _ []string) error {
		cfg, err := a.load(ctx, *src)
		if err == nil {
			_, err = a.deps.newNode(cfg)
			return a.checked(unusable(err))
		}
		return a.checked(err)
	})
	src = a.sourceFlags(cmd)
	a.outputFlag(cmd)
	return cmd
}

// load is the configuration of a node that is to run: what its plugins' processes say
// of it counts too.
func (a *app) load(ctx context.Context, src config.Sources) (*config.Config, error) {
	cfg, err := a.deps.load(src)
	if err == nil && a.deps.examine != nil {
		err = unusable(a.deps.examine(ctx, cfg))
	}
	return cfg, err
}

func (a *app) checked(err error) error {
	var problems *config.Problems
	if err != nil && !errors.As(err, &problems) {
		return err
	}
	document := checkDocument{Problems: []problemDocument{}}
	if problems != nil && a.json() {
		for _, p := range problems.List {
			document.Problems = append(document.Problems, problemDocument{p.Origin.String(), p.Path, p.Text, p.Hint})
		}
		if err := a.show(document, nil); err != nil {
			return err
		}
		return shown(admin.KindUsage)
	}
	if err != nil {
		return err
	}
	return a.show(document, [][]string{{"no problems"}})
}

func (a *app) configShowCommand() *cobra.Command {
	var src *config.Sources
	var origin bool
	cmd := a.leaf("show", "the values that apply, secrets hidden", func(context.Context, []string) error {
		cfg, err := a.deps.load(*src)
		if err != nil {
			return err
		}
		rows := cfg.Show(origin)
		var document any = rows
		if !origin {
			document = cfg.Document()
		}
		return a.show(document, valueRows(rows, origin))
	})
	src = a.sourceFlags(cmd)
	a.outputFlag(cmd)
	cmd.Flags().BoolVar(&origin, "origin", false, "show where each value comes from")
	return cmd
}

func valueRows(values []config.Row, origin bool) [][]string {
	rows := make([][]string, len(values))
	for i, v := range values {
		rows[i] = []string{v.Key, v.Value}
		if origin {
			rows[i] = append(rows[i], v.Origin)
		}
	}
	return rows
}

func (a *app) configDefaultsCommand() *cobra.Command {
	cmd := a.leaf("defaults [SLOT/NAME]", "a commented sample of everything, of one plugin or of one section",
		func(_ context.Context, args []string) error {
			which := ""
			if len(args) > 0 {
				which = args[0]
			}
			sample, err := config.Defaults(a.deps.slots(), which)
			if err != nil {
				return usage("%v", err)
			}
			_, err = fmt.Fprint(a.stdout, sample)
			return err
		})
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return pluginIDs(a.deps.slots()), cobra.ShellCompDirectiveNoFileComp
	}
	return cmd
}

func pluginIDs(slots []config.Slot) []string {
	var ids []string
	for _, slot := range slots {
		for _, p := range slot.Plugins {
			ids = append(ids, string(slot.Kind)+"/"+p.Name)
		}
	}
	return ids
}

func (a *app) configSchemaCommand() *cobra.Command {
	return a.leaf("schema", "a JSON Schema of the configuration, for editors", func(context.Context, []string) error {
		_, err := fmt.Fprintf(a.stdout, "%s\n", config.Schema(a.deps.slots()))
		return err
	})
}
