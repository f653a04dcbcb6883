// Package sim is a world in one process: a clock, a network with every fault one can
// have, and as many nodes as fit, all from one seed. It runs the machines that
// production runs (core/machine/overlay says what they look like), so that a scenario
// of ten thousand nodes and an hour is a test of seconds, and a failure comes again.
//
//	w := sim.New(sim.Config[hyparview.Message]{
//		Seed: 7, Nodes: 1000,
//		New: func(b sim.Boot) sim.Node[hyparview.Message] { return hyparview.New(b.Self, b.Inc, cfg, b.RNG) },
//	})
//	w.StartAll()
//	w.Command(2, overlay.Command{Op: overlay.OpJoin, Peer: 1})
//	w.Run(10 * time.Second)
//	w.Kill(1)
//	w.Settle(time.Minute)
//
// Time is virtual, nothing runs concurrently, and nothing that is seen from outside
// depends on the order of a map: equal seeds give equal traces, and Digest says in one
// number whether they did. One world is for one goroutine; two worlds share nothing.
//
// # Nodes
//
// Nodes are numbered from 1. A node is what Config.New makes of a Boot: one machine, or
// several behind one Step. It is stepped with its own clock (Skew), which begins at the
// birth of the world. Stall freezes a node: its inputs wait. Kill ends it without a
// word, Stop with one; Restart begins its next incarnation.
//
// # Links
//
// A link is a connection of two nodes, at most one per pair; it begins when one of both
// dials and ends when one of both closes it or stops hearing the other for Config.Idle.
// Messages of mode Stream on one link keep their order and are not lost while it lives;
// loss makes them late, a cut makes them wait. Datagrams suffer everything.
//
// # Probes
//
// Totals counts messages and bytes per class. Graph looks at the active views: degrees,
// components, paths, clustering. Flood sends a message along them without simulating
// each hop, which is what the published experiments do. Broadcasts listens to the
// deliveries of real broadcasts: reliability, redundancy, last hop.
//
// # Replaying
//
// Replay gives the command that runs a test again with the same seed, size and
// scenario; every failing check prints it.
package sim
