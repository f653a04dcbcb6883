// Package liveness is one node's belief about who of a large cluster is alive. It is a
// pure machine of the family that package overlay describes. It does not choose
// neighbours (hyparview does) nor carry broadcasts (plumtree does); its events are of the family
// Member, about the cluster, and never say anything about neighbours.
//
//	lv := liveness.New(liveness.Defaults(), self, life, now, rng, nil)
//	lv.Step(now, &overlay.Input[liveness.Message]{Kind: overlay.InLinkUp, Peer: 7, Inc: 12}, out)
//	for _, s := range out.Sends { ... } // s.To == liveness.Everybody: sign and broadcast it
//
// # One life of a member
//
// A stamp is (incarnation, refutation). The host persists the incarnation, a new one for
// each start; the refutation counts within a life how often the node had to say that it
// lives, so that a running node never changes the number that its links and entries carry. Of
// two words the one with the higher stamp counts, of one stamp the later in this line:
//
//	       OBITUARY of others                  2 to 8 s, by the
//	      who reach it not        ┌─────────┐ number of observers
//	alive ──────────────────────► │ suspect │ ─────────────────────► down
//	▲ ▲ │                         └─────────┘                       ▲  │
//	│ │ │ ANNOUNCE with a higher stamp │     counter stood still,   │  │ 10 min
//	│ │ │ ◄────────────────────────────┘     no answer to DOUBT     │  ▼
//	│ │ └───────────────────────────────────────────────────────────┘ forgotten but
//	│ └────────── ANNOUNCE with a higher stamp, or a link ────────────  for its stamp
//	│                to that very life (proof of this node's own)       (24 h)
//	└─ ANNOUNCE with a higher stamp ── left ◄── its own ANNOUNCE
//
// Down is final for a stamp. The member learns of it (DOUBT, from a neighbour or by
// broadcast) and comes back with the next refutation, at once or, if many have to,
// spread over seconds. In one life a member falls at most once a minute (Config.Damp), so that a
// node that comes and goes does not have everybody move things each time.
//
// # How a death is noticed
//
//	link falls, no good-bye ──► inquiry: PING by this node, ASK of two neighbours to ping;
//	         │                  0.7 s, longer if this node is not well (missed ticks, own
//	         │                  refutations), a second round if it lost three links at once
//	         ├─ PONG, ANSWER ─► nothing
//	         └─ nothing ──────► OBITUARY to all: this node is one observer
//
// One observer: 8 s to refute; four: 2 s. This is fast, but who loses all neighbours
// together has no observer, and a partition has observers at its edge only. So each node
// also counts, a step every 5 s (in clusters above a thousand more rarely: 200 steps per second
// in all), and steps travel along the broadcast tree, once a second per link (COUNTERS).
// Ages travel, never times: receivers use their own clock only. A step that is overdue
// is asked for (STALE); three missed steps are a death, unless this node has a link to that life.
// Before that the member is asked to speak (DOUBT, by a few nodes for all): steps are not signed, and
// a forged one that runs ahead hides the true ones. A counter belongs to a stamp and
// begins anew with each that the member says, so its answer ends what was forged; a step of a stamp
// that this node has missed makes it ask for the stamp (WANT). On a new link each end says first how
// far it has counted, and asks for what is overdue here. Who said a doubt that is not answered
// within a tick has its host look for a link to some of those it named (Unheard): where the
// neighbours of some nodes are all among themselves, nothing else comes in or out, and a link makes
// that one cluster again before anybody counts as down. Where nothing else is broadcast the
// tree stays broken after failures: so one of all members, by chance, says its ANNOUNCE again
// every 2 s, and more do when many steps are overdue.
//
// # How a member becomes known
//
// It announces itself, by broadcast. While many start, or links change, a broadcast passes
// some by: its tree is not there yet. What it missed is found by comparison, which needs
// no tree:
//
//	new link, twice; ┐  COMPARE: 32 sums   differ: DIFFER, own sums      TABLE: entries of
//	random neighbour ┴────────────────────► and TABLE ──────────────────► buckets that differ
//	                                          │                             │
//	             RECORDS: proofs ◄── WANT ◄───┴────── what is new here ─────┘
//
// Both ends learn by it, whichever began. And what a node learned from one neighbour it
// passes on to the others 0.2 s later, to 16 of them each 0.2 s: up to eight members as a TABLE, more
// by COMPARE. What a broadcast brought is passed on only over links younger than 5 s, which it may not
// follow. A large table is not sent twice within 2 s; if more was learned since, the sums are told again
// after them.
//
// Why that reaches everybody: take a neighbour v of u that lacks a stamp which u has. When
// the link came up u had it, and the comparison showed it; or u learned it later from a
// neighbour, and passed it on; or from a broadcast, and then either the link was new, and u passed
// it on, or the tree or an announcement of the broadcast goes to v. So in one piece of the
// cluster every stamp is known to all, after as many times 0.2 s and three packets as the piece is wide
// (more where somebody has above 16 links, or lacks hundreds of members), and without any broadcast. Why it ends: a stamp is passed on by a node once, when it first
// proves it; DIFFER is not answered with DIFFER; the sums are told
// again only if a signature came since; a record is asked of one neighbour a second. One that names
// members and does not prove them is in the others' way for that second only: for a minute what it
// offers is asked of others as well, and who had the same is compared with.
//
// Messages get lost with links all the same. So a random neighbour is compared with once a second
// after the start, ten times, then after 2, 4, 8 s and every 10 s. What a neighbour taught brings back
// three of the ten. A neighbour that named more than it could be asked for is compared with in the
// next second. Nothing else but a member's new signature makes it more: tables that cannot become
// equal, since one is full, stay rare. In a quiet cluster one comparison in 10 s remains, of 260
// bytes, without an answer.
//
// # Many at once
//
// If more than a fifth of the members fall within the time in which a counter expires, 15 s or
// more, that is rather a partition than so many deaths: Partitioned. It is that long because those
// whom no neighbour on this side watches fall last. The table shows at once what the suspicions say, but MemberDown is
// held back until the counter of that member expires too, or nothing has changed for 10 s.
// Healed comes when the share of the fallen is small again.
//
// # What is believed of whom
//
//	ANNOUNCE, RECORDS   if the host verified that the member itself signed it
//	OBITUARY            if verified as the observer's, and that is a living member, though the
//	                    accused answers anybody; 16 at once and one every 2 s from each observer, of
//	                    all to whom there is no link together two for each member at once and
//	                    one in 15 s; stamps must be known
//	DOUBT               unsigned: has the member named speak, no more often than every 5 s, if it
//	                    names its stamp
//	TABLE               unsigned: a hint what to ask proofs for (of each neighbour 512 a second; who
//	                    proves itself and is refused by the host, once a minute), or whom to doubt,
//	                    each every 5 s at most
//	COUNTERS            unsigned for cost. Forged steps can keep a dead member on the list
//	                    for as long as they come. They can hide the steps of a living one by
//	                    running ahead of it, 16 steps at most and no faster than twice the
//	                    time: then it has to speak, once in two steps or more rarely, and is not down.
//	                    They cannot bring anyone back, and obituaries work all the same.
//	                    A member's own step on its own link is believed, whatever it is
//	PING, ASK           64 at a time for others
//	ANSWER              of a neighbour that was asked, to what it was asked: one that lies keeps
//	                    this node from being an observer, not the others
//
// Nothing raises a member's stamp but its own signature; incarnations above MaxInc are
// refused. Members, watermarks, observers of one suspicion, inquiries and lists are bounded;
// what is refused is counted in Stats, by reason.
//
// # Bytes
//
// 'L', format 1, kind, body. Numbers are unsigned varints unless said otherwise; id is
// 8 bytes, big-endian, the same number of a node everywhere. In a TABLE and the WANT that answers
// it, it may be of one whom the receiver does not know.
//
//	PING PONG      nonce (4)
//	ASK ANSWER     id nonce (4)
//	COUNTERS       count, then each: id, step, low bits of the stamp (2: 12 of the incarnation, 4 of
//	               the refutation), age in 0.1 s (1)
//	COMPARE DIFFER count, then sums (8 each)
//	OBITUARY       id of the observer, length, signature, entries
//	others         entries: count, then each: id incarnation refutation step age-in-ms
//	               state (1; bit 7: a proof follows: length, record, length, signature)
package liveness
