// Package transportv1 is the transport contract on the wire, version 1: generated from
// transport.proto by `make gen`, which also says in comments what it means and how the
// bytes of connections travel. interfaces/wire translates it; nothing else in Go has a
// reason to come here.
package transportv1
