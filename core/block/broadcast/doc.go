// Package broadcast brings a message of one node to every node that can be reached
// over neighbours. It is the host of core/machine/plumtree: the payload goes along the
// edges of a spanning tree, its announcement along all other links, and the tree mends
// itself.
//
// It is not membership, which says who is a neighbour (Up, Down), and not the links,
// which lend it streams. Nothing is promised but the attempt: whoever must have every
// message compares states with a neighbour now and then. What is said is not signed
// either: whoever believes it asks for a signature inside.
//
//	b := broadcast.New(broadcast.Config{Network: streams, ...})
//	b.Handle(broadcast.Membership, func(from name.Node, data []byte) { ... })
//	b.Start(ctx)
//	b.Up(neighbour)                      // as membership says
//	b.Send(broadcast.Membership, data)   // never blocks
//
// # One neighbour
//
// Each end opens one stream to the other and writes to that one only:
//
//	machine ── outbox (4 MiB, 1,024 frames) ── writer ──► stream ──► reader ── machine
//	   ▲             │ full: the message comes back (Unsent), the peer turns lazy
//	   └─ OpFast ────┘ a quarter is left: it may be an edge again
//
//	frame   length 4, big-endian | body
//	body    'P' ...  a message of package plumtree
//	        'S' 0 | id 8   has all before this been read? (Flush)
//	        'S' 1 | id 8   it has
//
// A reader takes at most 2,000 frames and 16 MiB a second, and less is read from who
// sends more: a flood is slowed down where it comes from, and honest messages find
// another way.
package broadcast
