package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/barrelp2p/barrel/core/catalog"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/sdk"
	"github.com/barrelp2p/barrel/plugins"
)

func (a *app) pluginServeCommand() *cobra.Command {
	cmd := a.leaf("serve SLOT/NAME", "be a built-in plugin in a process of its own, for a node that starts it",
		func(_ context.Context, args []string) error { return serveBuiltIn(args[0]) })
	cmd.Long = `Serve a built-in plugin as a process of its own. A node starts it; a person only sees what to write
into the configuration. Under another name, a built-in plugin can be isolated that way:

  plugins:
    discovery/isolated: {command: /usr/bin/barrel, args: [plugin, serve, discovery/dns], sha256: [...]}`
	return cmd
}

func serveBuiltIn(id string) error {
	kind, name, found := strings.Cut(id, "/")
	if !found {
		return usage("%q is no SLOT/NAME: write it as discovery/dns", id)
	}
	cat := plugins.All()
	if _, err := cat.Entry(plugin.Kind(kind), name); err != nil {
		return usage("%v", err)
	}
	version := sdk.Version(buildVersion().Version)
	switch plugin.Kind(kind) {
	case plugin.Discovery:
		factory, err := catalog.Find(cat.Discovery, plugin.Discovery, name)
		if err != nil {
			return err
		}
		sdk.Serve(factory, version)
	case plugin.Trust:
		factory, err := catalog.Find(cat.Trust, plugin.Trust, name)
		if err != nil {
			return err
		}
		sdk.Serve(factory, version)
	case plugin.Transport:
		return serveTransport(cat, name, version)
	case plugin.Membership:
		factory, err := catalog.Find(cat.Membership, plugin.Membership, name)
		if err != nil {
			return err
		}
		sdk.Serve(factory, version)
	case plugin.Registry:
		factory, err := catalog.Find(cat.Registry, plugin.Registry, name)
		if err != nil {
			return err
		}
		sdk.Serve(factory, version)
	}
	return usage("there is no kind %q", kind)
}

func serveTransport(cat catalog.Catalog, name string, version sdk.Option) error {
	if name == "memory" {
		return usage("transport/memory connects the nodes of one process, so a process of its own would connect nobody")
	}
	factory, err := catalog.Find(cat.Transport, plugin.Transport, name)
	if err == nil {
		sdk.Serve(factory, version)
	}
	return err
}
