// Package resolve is the chain of discovery backends: it answers where a node can be
// dialed, and sees to it that others learn where this node is.
//
// The backends are asked in order and the first that knows the node wins. An error is
// not an answer: it does not stop the chain and is never taken for "not found". Each
// question to a backend has a time limit, also against a backend that ignores it, and
// a panic of a backend is an error like any other. Answers are kept for as long as
// they say, misses for a moment, and the last good answer of a node for the time when
// no backend can tell.
//
// It is not a backend and knows none; it proves nothing about who answers at an
// address. The link block comes here before it dials (Addresses, Invalidate), the node
// to publish itself (Publish, Withdraw), the operator to see who said what (Explain).
//
//	r := resolve.New(resolve.Config{
//		Backends: []resolve.Backend{{Name: "static", Plugin: static}, {Name: "dns", Plugin: dns}},
//		Log:      log,
//		Tasks:    tasks,
//	})
//	err := r.Start(ctx)                      // after the backends, which it does not start
//	endpoints, err := r.Addresses(ctx, node) // dial these; if none works: r.Invalidate(node)
package resolve
