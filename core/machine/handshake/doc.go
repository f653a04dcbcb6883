// Package handshake is how two nodes prove to each other who they are, over the first
// stream of a connection that is already encrypted. It is a pure machine: it takes
// frames, the time and the answer of trust, and returns frames, a deadline and one
// outcome. It has no clock, no network and no randomness of its own.
//
// It is not the transport, whose contribution is the channel binding, and not trust,
// which decides whether a proved key may be the claimed name. The link block comes
// here, once for each connection and side:
//
//	m := handshake.New(cfg, now)
//	m.Step(now, handshake.Input{Kind: handshake.Start}, &out)
//	// write out.Send, each with AppendFrame; ask trust if out.Ask is set;
//	// then feed frames (ReadFrame), verdicts and, at out.Deadline, a Tick,
//	// until out.Done or out.Failed is set.
//
// # Flow
//
//	dialer                                      acceptor
//	[hearing]   HELLO ----------------------->  [hearing]   checks HELLO
//	            checks HELLO <----------- HELLO
//	[proving]   PROOF ----------------------->  [proving]   signature, cookie
//	                                            [deciding]  asks trust
//	            signature, cookie <------ PROOF
//	[accepting]              <---------- ACCEPT [accepting]
//	[deciding]  asks trust
//	[closing]   ACCEPT ---------------------->  sends DONE, is done
//	            is done      <------------ DONE
//
// In place of any message a side may send REFUSE, which ends the handshake on both
// sides with the same code. A peer that cannot prove itself, or that trust
// refuses, never gets a signature or MAC of the acceptor. The acceptor is done only
// after the dialer has accepted, the dialer only after the acceptor is done; what
// remains is the one case that no protocol can close: the DONE that gets lost, after
// which the dialer fails and the acceptor sees the connection end.
//
// One deadline is set when the machine is made; nothing the peer does moves it.
//
// # Bytes
//
// A frame is a length of 2 bytes and a body of at most MaxFrame bytes. A body is a
// type byte and what follows; numbers are big endian, lengths exact. text is a length
// of 2 bytes and that many bytes.
//
//	HELLO  1 | "BARREL" | lowest version 2 | highest version 2 | flags 1 | role 1
//	         | nonce 32 | key 32 | wall clock 8, ms since 1970 | incarnation 8 | epoch 8
//	         | cluster text | node text | dialed node text, empty if any
//	         | endpoints: count 1, each text
//	         | extensions to the end: type 2, value text; unknown ones are ignored
//	         flags: 1 auth enabled, 2 has a cookie, 4 takes the peer by cookie only, 8 hidden
//	         role: 1 dialer, 2 acceptor
//	PROOF  2 | flags 1 | signature 64 if flag 1 | MAC 32 if flag 2
//	ACCEPT 3 | digest 32
//	REFUSE 4 | code 2 | text to the end, at most 512 bytes of printable UTF-8
//	DONE   5
//
// The fields of HELLO up to the highest version keep their place in every version to
// come, so that a node of another time is told which versions would do.
//
// What both ends hold of one handshake, the transcript, is
//
//	context, a zero byte | role of the sender 1 | version 2
//	| SHA-256 of the dialer's HELLO body | SHA-256 of the acceptor's | channel binding 32
//
// with a context of its own for each use: the signature is plain Ed25519 over the
// transcript for "barrel handshake v1"; the MAC is HMAC-SHA256, keyed with the cookie,
// over that for "barrel cookie v1"; the digest is SHA-256 of that for "barrel accept
// v1". Names, keys, nonces, times, cluster, incarnations and version ranges are in the
// HELLOs, so none of them can be edited, and the binding makes a proof worthless on
// every other connection. The version is the highest that both speak.
//
// # Which proof
//
// With auth enabled on both sides the proof is a signature (Signed), unless each side
// lists the other as cookie-only and both have a cookie: then it is the MAC alone, no
// trust is asked, and the peer's key is only what it says (CookieOnly). If only one
// side lists the other, both sign as usual. With auth disabled on both sides nobody
// signs and trust is not asked (None): that protects against mistakes, not against
// people. A cookie, once set on one side, must be set on the other, in every mode. The
// dialer's MAC goes to whoever answers, so a cookie should be too long to guess.
package handshake
