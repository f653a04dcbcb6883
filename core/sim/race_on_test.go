//go:build race

package sim_test

// raceDetector makes everything ten times slower: sizes are smaller then.
const raceDetector = true
