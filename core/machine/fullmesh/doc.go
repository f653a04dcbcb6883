// Package fullmesh is the thinking half of the membership "full": everyone knows
// everyone and keeps a link to everyone. It is meant for small clusters and tests.
//
// It is a pure machine. Step takes the time, one input and a buffer for effects;
// nothing else goes in but the random source given to New, and nothing else comes
// out. Equal inputs give equal effects. plugins/membership-full is the host that feeds
// it links, frames and time, and does what it asks for.
//
//	var out fullmesh.Effects
//	m := fullmesh.New(cfg, rand.New(rand.NewPCG(1, 2)))
//	m.Step(now, fullmesh.Join(1, seed), &out)
//	for _, e := range out.List { ... }     // connect, send, emit, in this order
//	wakeAt := out.Wake                     // step again then, with Tick
//
// # What is believed
//
// A node speaks for itself only, and only over a link whose handshake proved who it
// is: a node becomes alive here when its own JOIN arrives, and left when its own LEAVE
// arrives or its link is closed as leaving. What a peer says of others (MEMBERS) is
// hearsay: it suggests whom to dial and changes nobody's state, so no peer can forge
// the arrival, the death or the departure of another.
//
// Every event of a member carries the incarnation it is about. A higher incarnation
// ends the one before it; a lower one is the dead past and is refused. Down is a guess
// from silence: the JOIN of that same incarnation over a new link takes it back, with
// a second MemberUp. Left is final until the node itself sends JOIN again, in this life
// or a later one; hearsay never revives a member that left.
//
// # What happens when a link falls
//
//	leaving            left, at once
//	stopping           down, at once
//	restarted          down, at once: a later life is known
//	idle               alive; dialed again at once
//	dropped            alive; dialed again after RetryMax, or by the other side
//	duplicate          another link won; checked with one Connect, which is no news
//	anything else      suspect; dialed twice within the suspicion; then down
//
// A member that is down is dialed for ever, ever more rarely, which is why a
// partition of any length heals. After ForgetDown it is no longer listed, and dialed
// on; ForgetLeft ends the memory of a member that left.
//
// # Leaving
//
// A node that left tells nobody anything, takes nobody in (REFUSE) and dials nobody
// until Join is called. It stops claiming to know who lives: every member that was up
// gets a last MemberDown with the reason ReasonGone.
package fullmesh
