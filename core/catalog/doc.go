// Package catalog is the typed list of what can fill the slots of a node, and the data
// that belongs to each slot: how many plugins it takes, which it takes when nothing is
// said, and what it means when its plugin is gone.
//
// A Catalog is a value. Whoever builds a node hands one in, plugins.All() or a list of
// their own, so that two nodes of different make-up live in one process; nothing
// registers itself anywhere. It makes no plugins and reads no configuration: package
// core picks from it, core/config and the command line describe it.
//
//	c := catalog.Catalog{
//		Discovery: []discovery.Factory{discoverystatic.Factory(), mine.Factory()},
//		...
//	}
//	err := c.Validate()
//	factory, err := catalog.Find(c.Discovery, plugin.Discovery, "static")
package catalog
