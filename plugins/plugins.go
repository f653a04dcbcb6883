// Package plugins is the one list of the plugins that are built in. A plugin is used
// because it stands here and the configuration names it; nothing registers itself.
//
// It holds no plugin: each has a folder of its own, named kind-name, beside this file.
// Programs come here for the whole list; a program with a list of its own writes a
// catalog.Catalog and leaves this package out.
//
//	node, err := core.New(cfg, plugins.All())
package plugins

import (
	"github.com/barrelp2p/barrel/core/catalog"
	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/interfaces/trust"
	discoverydns "github.com/barrelp2p/barrel/plugins/discovery-dns"
	discoveryexec "github.com/barrelp2p/barrel/plugins/discovery-exec"
	discoveryfile "github.com/barrelp2p/barrel/plugins/discovery-file"
	discoverystatic "github.com/barrelp2p/barrel/plugins/discovery-static"
	membershipfull "github.com/barrelp2p/barrel/plugins/membership-full"
	membershiphyparview "github.com/barrelp2p/barrel/plugins/membership-hyparview"
	registrymemory "github.com/barrelp2p/barrel/plugins/registry-memory"
	registryormap "github.com/barrelp2p/barrel/plugins/registry-ormap"
	transportmemory "github.com/barrelp2p/barrel/plugins/transport-memory"
	transportquic "github.com/barrelp2p/barrel/plugins/transport-quic"
	truststrict "github.com/barrelp2p/barrel/plugins/trust-strict"
	trusttofu "github.com/barrelp2p/barrel/plugins/trust-tofu"
)

// All is every built-in plugin, a fresh list at each call. Nodes made from one list
// share the network of its memory transport, and nothing else.
func All() catalog.Catalog {
	return catalog.Catalog{
		Transport:  []transport.Factory{transportquic.Factory(), transportmemory.Factory()},
		Discovery:  []discovery.Factory{discoverystatic.Factory(), discoveryfile.Factory(), discoverydns.Factory(), discoveryexec.Factory()},
		Trust:      []trust.Factory{trusttofu.Factory(), truststrict.Factory()},
		Membership: []membership.Factory{membershiphyparview.Factory(), membershipfull.Factory()},
		Registry:   []registry.Factory{registryormap.Factory(), registrymemory.Factory()},
	}
}
