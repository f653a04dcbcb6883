package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/barrelp2p/barrel/core/catalog"
	"github.com/barrelp2p/barrel/core/config"
	"github.com/barrelp2p/barrel/core/external"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/plugins"
)

// wholeCatalog is what is built in and what the configuration runs in processes.
func wholeCatalog(cfg *config.Config) (catalog.Catalog, error) {
	cat := plugins.All()
	for _, spec := range specs(cfg) {
		switch spec.Kind {
		case plugin.Discovery:
			cat.Discovery = append(cat.Discovery, external.Discovery(spec, processOptions()))
		case plugin.Trust:
			cat.Trust = append(cat.Trust, external.Trust(spec, processOptions()))
		case plugin.Transport:
			cat.Transport = append(cat.Transport, external.Transport(spec, processOptions()))
		case plugin.Membership:
			cat.Membership = append(cat.Membership, external.Membership(spec, processOptions()))
		case plugin.Registry:
			cat.Registry = append(cat.Registry, external.Registry(spec, processOptions()))
		default:
			return cat, usage("plugins.%s: there is no kind %q", spec.ID(), spec.Kind)
		}
	}
	return cat, nil
}

func processOptions() external.Options { return external.Options{Version: buildVersion().Version} }

// specs lists the processes of a configuration, in order.
func specs(cfg *config.Config) []external.Spec {
	var list []external.Spec
	for _, key := range slices.Sorted(maps.Keys(cfg.Plugins)) {
		kind, name, _ := strings.Cut(key, "/")
		e := cfg.Plugins[key]
		list = append(list, external.Spec{
			Kind: plugin.Kind(kind), Name: name, Command: e.Command, Args: e.Args,
			Env: e.Env, SHA256: e.SHA256, Timeout: e.Timeout, Sandbox: sandbox(e.Sandbox),
		})
	}
	return list
}

func sandbox(s config.Sandbox) *external.Sandbox {
	if !s.Enabled {
		return nil
	}
	return &external.Sandbox{Read: s.Read, Write: s.Write, Network: s.Network}
}

// examine starts every process that the configuration uses for a moment and asks it
// what it says of its settings: what is wrong there is a problem like any other, with
// its place in the file.
func examine(ctx context.Context, cfg *config.Config) error {
	found := &config.Problems{}
	for _, spec := range specs(cfg) {
		if !slices.Contains(cfg.Use(spec.Kind), spec.Name) || len(external.Contracts(spec.Kind)) == 0 {
			continue
		}
		section, _ := cfg.Settings(spec.Kind, spec.Name).(*plugin.Section)
		if section == nil {
			section = &plugin.Section{}
		}
		_, problems, err := external.Check(ctx, spec, processOptions(), *section, slog.New(slog.DiscardHandler))
		if err != nil {
			return fmt.Errorf("plugins.%s: %w", spec.ID(), err)
		}
		var located *config.Problems
		if errors.As(cfg.Locate(spec.Kind, spec.Name, problems), &located) {
			found.List = append(found.List, located.List...)
		}
	}
	if len(found.List) > 0 {
		return found
	}
	return nil
}
