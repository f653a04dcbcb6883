package main

import (
	"context"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/core/config"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/plugins"
)

// deps is what the program needs of the kernel and of the list of plugins.
type deps struct {
	load    func(config.Sources) (*config.Config, error)
	examine func(context.Context, *config.Config) error // what only the plugins' processes can say
	slots   func() []config.Slot
	newNode func(*config.Config, ...core.Option) (*core.Node, error)
	doctor  func(context.Context, *config.Config, name.Node) []admin.Check
	rotate  func(context.Context, *config.Config) (admin.Rotation, error)
	plugins func() []admin.Plugin
}

func realDeps() deps {
	return deps{
		load:    func(s config.Sources) (*config.Config, error) { return core.Load(s, plugins.All()) },
		slots:   func() []config.Slot { return core.Slots(plugins.All()) },
		examine: examine,
		newNode: func(cfg *config.Config, opts ...core.Option) (*core.Node, error) {
			cat, err := wholeCatalog(cfg)
			if err != nil {
				return nil, err
			}
			return core.New(cfg, cat, append(opts, core.WithCatalog(wholeCatalog))...)
		},
		doctor: func(ctx context.Context, cfg *config.Config, node name.Node) []admin.Check {
			cat, err := wholeCatalog(cfg)
			if err != nil {
				return []admin.Check{{Check: "plugins", Outcome: "fail", Fact: err.Error(), Next: "correct the section plugins of the configuration"}}
			}
			return core.Doctor(ctx, cfg, cat, node)
		},
		rotate: func(ctx context.Context, cfg *config.Config) (admin.Rotation, error) {
			cat, err := wholeCatalog(cfg)
			if err != nil {
				return admin.Rotation{}, err
			}
			backup, err := core.RotateCertificate(ctx, cfg, cat)
			return admin.Rotation{What: "cert", Backup: backup}, err
		},
		plugins: builtIn,
	}
}

// builtIn lists the plugins of this program, none in use.
func builtIn() []admin.Plugin {
	list := []admin.Plugin{}
	for _, e := range plugins.All().Entries() {
		list = append(list, admin.Plugin{
			Kind: string(e.Kind), Name: e.Name, Version: buildVersion().Version, Contract: e.Contract, Health: "unused",
		})
	}
	return list
}
