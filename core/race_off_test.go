//go:build !race

package core_test

// raced is whether the race detector watches.
const raced = false
