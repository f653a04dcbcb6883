// Package hyparview keeps a node in a cluster of any size with a handful of links. It
// is the HyParView protocol (Leitão, Pereira, Rodrigues: DSN 2007) with what ten years
// of use have taught, and a rule of its own: a cluster that can be whole becomes whole.
//
// It is a pure machine of the family that core/machine/overlay describes: Step takes
// one input and appends effects, nothing else goes in or out but the random source
// given at birth. The membership plugin is its host in production, core/sim in tests.
//
//	m := hyparview.New(self, inc, hyparview.Default(), rng)
//	m.Step(now, &overlay.Input[hyparview.Message]{Kind: overlay.InCommand,
//		Cmd: overlay.Command{Op: overlay.OpJoin, Peer: contact}}, &out)
//
// # What is known of others
//
//	             accepted                          link lost, evicted
//	  ┌────────────────────────► active ───────────────────────────────┐
//	  │                       (5, a link each,                         │
//	asked ◄──── room ──────┐   symmetric)                              ▼
//	  │                    └──────────────────────── passive (120, no links)
//	  │  refused: later again            learned by shuffles and joins ─┘  │
//	  │                                                                    │
//	  └── failed too often ──► remembered (64, dialed rarely) ◄────────────┘
//	                               └── answers: asked, with high priority
//
// A peer is in the active view of a node while that node is in its: links keep order,
// so that requests, answers and good-byes of a pair tell both the same story. Active
// and passive are disjoint, neither holds the node itself, and all are bounded.
//
// # How the views are kept
//
// JOIN is taken in at any price; the contact sends FORWARD JOIN on random walks, and where a walk
// ends, at the first free place or after some steps, the newcomer is asked to be a neighbour.
// NEIGHBOR with high priority is accepted at any price, with low priority if there is room; it
// is high when the asker has no neighbours at all. Who has no room and must accept sends DISCONNECT to a
// random neighbour; that one is alive, stays in the passive view, and asks the one for whom it had to go:
//
//	X ── C      ─── N: JOIN to C ───►   X    C ── N      ─── C: DISCONNECT to X, for N ───►   X ── N ── C
//
// So a newcomer gets into the middle of links that there were, two of its places at a time, and few walks are
// enough: as published each other neighbour of the contact sends one, and each ends at the price of another
// neighbour, who looks for a new one where mostly nobody has room. Where many join through one
// contact, that is most of what they cost. X and C do not ask each other again soon: with N between
// them that would be a triangle, and triangles reach nobody.
//
// While the active view is not full, candidates of the passive view are dialed until it is; a
// candidate stays passive until it accepts. SHUFFLE walks with its origin, and only the end of
// the walk answers, to the origin.
//
// # Failures and healing
//
// A link that ends without a word is a failure of the peer, and so is a dial in vain; a
// DISCONNECT or a link closed on purpose never is. What fails too often leaves the
// passive view and is remembered. A node without neighbours forgets nobody: it dials all
// it knows, asks discovery (Effects.Discover) and joins again. A node with neighbours
// dials one of the remembered now and then, and one that answers becomes a neighbour
// at once: two islands that lost each other become one again without anybody's help.
// Who left by its own word is not dialed until it comes by itself. A neighbour that has started again
// is asked at once: it knows hardly anybody.
//
// # Hostile peers
//
// Messages are believed from those they speak for: the sender is who the link proved it
// to be. Walks are taken from neighbours only, their length is capped, replies must have
// been asked for. What a peer can force, a place in the view, it can force once in a
// while. Ids are hearsay: they fill the passive view and prove nothing; of each neighbour only as many
// are taken as an honest one brings.
package hyparview
