// Package name holds the words by which things in a cluster are called: nodes,
// addresses, services and references. Each is parsed once, at the edge where text
// comes in, and is a small comparable value from then on: a value that exists is a
// value that is valid, so nothing further in checks again.
//
// It is not a directory: it says how a name is spelled, never where the thing is
// (interfaces/discovery) or whether it lives (interfaces/membership).
//
//	node, err := name.ParseNode("a@10.0.0.1")      // name@host
//	addr, err := name.ParseAddress("10.0.0.1:9100") // host:port
//	svc, err := name.ParseService("chat_room/general")
//	ref, err := name.ParseRef("a@10.0.0.1/1790000000000/17")
//
// The zero value of each type means "none"; it is never the result of a
// successful parse. All types are safe for concurrent use and usable as map keys.
package name
