// Package replica keeps a copy of what all nodes say of themselves: ownerlog says what
// is believed, antientropy what is missing, and this machine moves it.
//
//	Write ──► own log ── at most one batch per Flush ──► broadcast to everybody
//	broadcast of another ──► its log ──► Changes
//	a link, a while, a doubt ──► compare with one peer ──► PULL what is missing
//	a batch is missing for too long ──► PULL that owner from some peer
//	Find ──► FIND asked of the peers, a few hops far ──► PULL the owners they name
//
// Data is only ever pulled, an owner from one peer at a time, a few frames ahead: who
// joins a large cluster gets everything once, and nobody can be flooded. What came by
// PULL is not broadcast again: everybody compares for himself.
//
// The registry plugin runs this machine; core/sim runs it by the thousand.
//
// # Bytes
//
// Frames of antientropy begin with 'A'. The others are 'R', format 1, kind, body;
// numbers are unsigned varints, texts have their length before them.
//
//	PULL   number of this transfer, count, then each: owner, incarnation, number of the
//	       last batch known
//	DATA   number of the transfer, flag (1: the last), a piece of a stream of ownerlog records
//	MORE   number of the transfer: one more DATA, please
//	FIND   id (8), hops, subject
//	FOUND  id (8), count, then each: owner, incarnation, number
//
// # How far a search goes
//
// Three hops. Whoever is asked answers from a replica of everything, so the hops count
// only nodes in a row that have not heard either: a newcomer behind newcomers. In an overlay
// with five neighbours each, three hops ask a hundred nodes for what nobody has, five would
// ask three thousand.
//
// # Hostile peers
//
// Nothing is believed without its owner's signature. A peer can make this node read what
// it has (one transfer for each peer), look for what is not there (64 searches at a time
// for one peer, 256 for all, a thousand in half a minute over one link), and ask it for owners that it does not deliver, which takes the
// turn of that owner for Patience; then another peer is asked.
package replica
