// Package safefile is how files that must not be lost, torn or leaked are written:
// keys, pins, counters, the endpoint a node publishes. It is a rule, kept in one
// place:
//
//	.safefile-XXXX.tmp   created afresh in the same folder, mode 0600, never opened twice
//	write, chmod, sync   the content is on disk before it has a name that counts
//	rename               readers see the old file or the new one, nothing between
//	sync the folder      the name is on disk before the caller is told so
//
// A crash at any point leaves the old file or the new one, and at worst a temporary
// file, which Sweep recognises and removes. Note leaves out the syncs, for what nobody
// misses.
//
// It is not a file system and not a store: it knows nothing of what it writes, locks
// nothing, and reads and writes whole small files. It uses the standard library only,
// so that a plugin that keeps files below its data folder can use it too.
//
//	if _, err := safefile.EnsureDir(dir, 0o700); err != nil {
//		return err
//	}
//	path, err := safefile.Join(dir, peer+".state")
//	if err != nil {
//		return err
//	}
//	return safefile.Write(path, state, 0o600)
//
// All functions are safe for concurrent use, also from several processes: of two
// writers of one file one is last, and its content is whole.
package safefile
