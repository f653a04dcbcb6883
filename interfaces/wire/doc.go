// Package wire carries the contracts between processes: each kind has one file with
// both of its halves, so that a field that is added to one is missed in the other only
// in plain sight.
//
//	caller ─► host half ─► gRPC ─► plugin half ─► the plugin's own value
//	          NewDiscovery          ServeDiscovery
//	          a discovery.Plugin    of a discovery.Plugin
//
// A host half is an ordinary value of the contract. It believes nothing that comes
// back: names and addresses are parsed, lists have an end, texts are cut and are one
// line, errors are the kinds that the contract knows. What it cannot read is an error,
// never an answer, and for trust never a yes.
//
// It starts no processes and keeps no connections alive: that is core/external in the
// host and interfaces/sdk in the plugin, which are the users of this package, beside
// the suites, which put both halves together with InMemory.
//
//	conn, end, err := wire.InMemory(ctx, func(s grpc.ServiceRegistrar) {
//		wire.Serve(s, wire.Fixed(plugin.Discovery, discovery.Contract, backend))
//		wire.ServeDiscovery(s, wire.Hold(backend))
//	})
//	backend := wire.NewDiscovery(conn)
package wire
