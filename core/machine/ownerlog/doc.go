// Package ownerlog holds what every node says of itself, each in a log of its own, as
// one replica knows it. Only its owner writes a log; merging two pictures of it is
// taking the later one, so that there are no tombstones and no conflicts.
//
//	owner                         any replica
//	Stage, Stage, Seal ─ Batch ─► Receive     in any order, any number of times
//	                   ─ part ──► Merge       the whole of one log, from anybody
//	                              Member      who is alive, at which incarnation
//	                              ─► Changes  of what is visible
//
// A log is a row of batches, numbered from 1 within one incarnation of the owner. A
// batch puts and removes entries, keys with values. A replica applies batches in
// order, keeps those that came early for a while (Gaps tells the host what to fetch),
// and keeps the last few for others that miss them. What it cannot get as batches
// it takes as a snapshot: all live entries of one owner. A key that a newer snapshot does
// not have has been removed; a higher incarnation replaces everything. Why it was removed
// say the batches that come before a snapshot, those with removals that are still kept, at
// most 64; of what they do not tell the reason is UnknownReason.
//
// # Who is believed
//
// Every batch carries its owner's signature, over the batch and over a digest of all
// entries that are live after it. So batches and snapshots can be relayed by anybody
// and be forged by nobody: a snapshot is believed because its entries have the digest
// that the owner signed. And every replica compares the digest of what it holds with what the
// owner signed, with each batch: a picture either is the owner's, or is known not to
// be (Forked) and fetched again. Which key is the owner's is the host's business
// (Verify); it is asked once for a batch, before anything is kept.
//
// # What is visible
//
// Entries are visible while their owner is alive at the incarnation that wrote them, as
// Member says. Losing contact hides them and deletes nothing; after a long time without
// contact (Config.Quarantine) the entries are freed, and only a watermark is kept,
// which refuses what is older.
//
// # Bounds
//
// Owners, entries and bytes of each, batches that came early, batches kept for others
// and watermarks are bounded. An owner that goes beyond its bounds stands still at the last
// batch within them, here as on every other replica, and is reported as Oversize; what is
// said of it by others is read to see whether the owner signed it, and is not kept.
//
// # Bytes
//
// Numbers are unsigned varints, texts have their length before them.
//
//	head    owner, incarnation, number of the batch
//	signed  "barrel ownerlog 1", head, digest of the operations (32), digest of what is live (32)
//	batch   'B', head, digest of what is live (32), signature (64), count, operations
//	op      0 key value | 1 key reason (a removal)
//	part    a snapshot travels in parts: 'H', head, digest of the operations (32),
//	        signature (64), count of entries; then that many times 'E', key, value
//	digest  SHA-256 of the entries sorted by key, each with the lengths of key and
//	        value; of more than 64, SHA-256 of 256 such digests, by the first byte of the
//	        SHA-256 of the key
package ownerlog
