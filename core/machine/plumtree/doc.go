// Package plumtree brings a broadcast to every node of a large cluster: the payload
// along the edges of a spanning tree, its announcement along all other links, and the
// tree mends itself from what was announced and did not come. It is the algorithm of
// Leitão, Pereira and Rodrigues ("Epidemic Broadcast Trees", SRDS 2007) with the gaps of
// the paper closed.
//
// It is a pure machine of the family that package overlay describes, and knows nothing
// of what is broadcast. InLinkUp and InLinkDown mean here that a peer became a neighbour
// or is none any more (hyparview's PeerUp and PeerDown); OpBroadcast, OpSlow and OpFast are its
// commands, Deliver is its event. Who needs every message for certain compares states
// with a neighbour now and then: that is not done here.
//
//	pt := plumtree.New(plumtree.Defaults(), 0x51f0a3, life)
//	pt.Step(now, &overlay.Input[plumtree.Message]{Kind: overlay.InLinkUp, Peer: 7}, out)
//	pt.Step(now, &overlay.Input[plumtree.Message]{Kind: overlay.InCommand,
//		Cmd: overlay.Command{Op: overlay.OpBroadcast, Key: topic, Data: payload}}, out)
//
// # One link
//
// Both ends of a link agree on whether it is an edge of the tree. The state is a pair
// (version, eager), the higher one counts, and eager counts more than lazy at the same
// version. Every message carries the pair of its sender, so ends that crossed each
// other, or lost a message, agree again with the next one in either direction.
//
//	               payload came twice: PRUNE,
//	 link up       shorter way found:  PRUNE
//	────────► eager ─────────────────────────► lazy ◄──── slow: PRUNE, and no
//	            ▲   announced, and did not come: │        payload unasked until
//	            └────────────── GRAFT ◄──────────┘        the host says fast
//
// # One message
//
//	unknown ── IHAVE ──► missing ── payload ──► seen, cached ── time, bytes ──► seen
//	   │                  │    ▲                     ▲
//	   └───── payload ────┼────┼─────────────────────┘
//	                      ▼    │ GraftNext, GONE: the next announcer
//	                    GRAFT ─┘ until there is none or MissingAge is over
//
// A message is known by (origin, life of the origin, sequence number), so two messages
// never get one name by accident. What was seen is remembered per origin as a window
// over sequence numbers, not as a set of names: everything below the window was
// seen or given up. A number far outside opens another window (up to 4 per origin, the one
// unused longest goes), so that a forged number from the far future does not hide the
// real ones. Forging the very next numbers of an origin does: whoever must stand up
// to that signs its broadcasts, and the host verifies before Step.
//
// # What is bounded
//
// Payload size, cached payloads (bytes, count, age), announcements waiting for one link,
// messages missing by the word of one peer, announcers of one message, origins and
// windows. What a bound throws away is counted in Stats, nothing goes unseen. A peer that
// cannot take what is sent is never a reason to drop: the host says OpSlow, or Unsent with what
// could not be queued, the link turns lazy and the payload becomes an announcement.
//
// # Bytes
//
// Numbers are unsigned varints except the origin; a list may be empty.
//
//	0 'P'   1 format 1   2 kind   3 flags (bit 0: eager)   version
//	GOSSIP  origin (8, big-endian) life sequence, round, key, count of bytes, bytes
//	IHAVE   count, then per announcement: 1 sequence round (origin and life as
//	GRAFT   before) or 0 origin life sequence round
//	GONE
//	PRUNE   nothing
package plumtree
