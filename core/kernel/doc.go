// Package kernel drives the parts of a node: it computes the order in which they
// start, starts and stops them, contains their panics, restarts what panicked within
// a budget, knows how each one is, and carries events between them without ever
// blocking who publishes.
//
// It knows names, needs and lives, and nothing else: not what a transport or a
// registry is, not the configuration, not the network, not the disk. What fills which
// slot is decided by core/catalog and the configuration; putting the parts together is
// the business of package core, which is the only user of this package.
//
// # The life of a part
//
//	new ──► starting ──► ok ──► stopping ──► stopped
//	            │        │ ▲         ▲
//	            │  panic ▼ │         │
//	            │     starting ──────┤ kernel stopped meanwhile
//	            ▼        │ budget    │
//	          failed ◄───┘ used up ──┘
//
// Start begins the parts one after another, each after all that it needs; parts that
// do not need each other keep the order in which they were given. The first failure
// stops what was started, in reverse, and names the part. Stop goes the same way
// backwards.
//
// Every part runs its goroutines on the plugin.Tasks that the kernel made for it. When
// one panics, the part is stopped and started again, at most Options.Budget times
// within Options.Window; past that the node has failed and Failed says why.
//
//	k := kernel.New(kernel.Options{Log: log})
//	link := newLink(k.Tasks("link"))
//	err := k.Assemble(
//		kernel.Unit{Name: "link", Needs: []string{"transport"}, Part: link},
//		kernel.Unit{Name: "transport", Part: quic},
//	)
//	err = k.Start(ctx) // transport, then link
//	select {
//	case <-signals:
//	case err = <-k.Failed():
//	}
//	err = errors.Join(err, k.Stop(ctx)) // link, then transport
package kernel
