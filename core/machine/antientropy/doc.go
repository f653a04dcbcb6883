// Package antientropy finds out in what two stores differ, at a cost in proportion to
// the difference: sixteen bytes when they are equal, two kilobytes and a short line
// for each thing in the buckets that differ when they are not.
//
// It knows nothing of what is stored. A store keeps Sums, 256 sums over all it has,
// each changed in O(1) with every change, and can list the Marks of one bucket: what it
// has, and how far. The machine tells the host who is ahead in what; how the missing
// things travel is the host's business, and it calls Done when they have.
//
//	     one with fewer things          one with more
//	HELLO root, count  ──────────►                      as soon as they meet, then from
//	                   ◄──────────  HELLO root, count   time to time; equal: the end
//	SUMS of 256        ──────────►
//	                   ◄──────────  MARKS of the buckets that differ
//	        Behind ► the host fetches
//	OFFER of what the other lacks ─►
//	                                Behind ► the host fetches
//
// The one with fewer things drives (between equals the one with the smaller root), and
// drives one comparison at a time: who joins and meets five neighbours learns
// everything from the first, and finds itself equal to the others.
//
// The replica machine comes here with the logs of all owners; a map with many writers
// can come with the dots of its keys.
//
// # Bytes
//
// 'A', format 1, kind, body. Numbers are unsigned varints unless said otherwise.
//
//	HELLO   root (8, big-endian), count, flag (1: wants an answer)
//	SUMS    bitmap of the buckets that are not empty (32), their sums (8 each)
//	MARKS   flag (1: the last), bitmap of the buckets that are listed whole (32), marks
//	OFFER   marks
//	marks   count, then each: key length, key, inc, seq, tag (8), size
//
// A hostile peer can make this one send it marks that it has no use for, one answer to
// each message; frames are bounded and nothing is kept but one comparison.
package antientropy
