// Package member is the signed record by which a node of a large cluster is known to
// those who never met it: name, key, cluster, incarnation, where it can be dialed, and
// whether it is there or has left. Only the node itself can make one, so it can be
// passed on by anybody.
//
// It is pure: it encodes, decodes and verifies. It does not decide whether the key may
// be the node (trust does) nor who is alive (package liveness does).
//
//	record := member.Record{Node: self, Key: key, Cluster: "default", Incarnation: 7}
//	body := record.Encode()
//	sealed := member.Seal(body, signer.Sign(body))
//	...
//	got, err := member.Open(sealed)  // err: it proves nothing
//
// # Bytes
//
// Numbers are big-endian; a text is one byte of length and so many bytes.
//
//	'M' | version 1 | state 1 (0 alive, 1 left) | incarnation 8 | refutation 4 | key 32
//	| node text | cluster text | count 1 | endpoint texts
//	then, when sealed: signature 64, Ed25519 for trust.ForMembership over all before it
//
// A record is at most MaxRecord bytes; of its endpoints only the first that fit are
// told. Of one node the record with the higher (incarnation, refutation) counts, and of
// these the one that says left.
package member
