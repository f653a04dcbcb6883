//go:build !race

package main

// raced: the tests have the race detector in them.
const raced = false
