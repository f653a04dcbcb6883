// Package plugin holds the words that plugins of every kind share: what a factory
// is, what a plugin is lent (Env), how it lives (Part), how it says how it is
// (Health), and the error kinds that mean the same everywhere.
//
// It is not a registry: a plugin is used because a catalog lists its Factory and the
// configuration names it. The contract of each kind stands in its own package:
// transport, discovery, trust, membership, registry.
//
// Plugin authors come here to define a Factory; the kernel comes here to drive Parts.
//
// # The life of a part
//
//	defaults ──► decode ──► Validate ──► New ──► Start ──► (running) ──► Stop
//	             fresh values only        │        everything may happen here
//	                                      └ allocate, keep references; touch nothing
//
// Defaults returns a fresh settings value and touches nothing. Validate looks at its
// own values and reports every problem. New opens, dials and starts nothing. Start
// and Stop do the rest: Stop is safe without Start, safe twice, and leaves nothing
// running. A stopped part may be started again, which is how the kernel restarts a
// part that panicked.
//
//	func Factory() discovery.Factory {
//		return plugin.Define("static", "a table in the settings", defaults, newTable)
//	}
package plugin
