//go:build linux

package main

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
	"testing"
)

// TestNetwork runs real nodes in networks that are cut, bent and mended, each node in a
// namespace of its own. It needs Linux, root and iproute2; where these are missing it is
// skipped, unless BARREL_NETWORK is "required", as it is in CI. With BARREL_LONG=1 the
// outages are as long as users have them: five minutes.
//
// The scenarios mostly wait, so they run at the same time, more of them than there are
// processors. Nothing outlives the test, however it ends: nodes die with the threads
// that started them, and namespaces with the last who is in them.
func TestNetwork(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute; run without -short")
	}
	if err := probeSpaces(); err != nil {
		if os.Getenv("BARREL_NETWORK") == "required" {
			t.Fatalf("no network tests: %v", err)
		}
		t.Skipf("no network tests: %v", err)
	}
	endOnSignal(t)
	var running sync.WaitGroup
	for name, scenario := range map[string]func(*testing.T){
		"partition":  testPartition,
		"outage":     testOutage,
		"restarted":  testOutageWithRestart,
		"seedless":   testOutageWithoutSeeds,
		"mute":       testMute,
		"deaf":       testDeaf,
		"interface":  testInterface,
		"moved":      testMoved,
		"renumbered": testMovedFromItsName,
		"frozen":     testFrozen,
		"misplaced":  testMisplaced,
	} {
		running.Go(func() { t.Run(name, scenario) })
	}
	running.Wait()
}

// long: outages take as long as users have them.
func long() bool { return os.Getenv("BARREL_LONG") == "1" }

// endOnSignal ends the process at a signal, as it would by itself if the commands that
// run in it did not listen to signals.
func endOnSignal(t *testing.T) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	t.Cleanup(func() { signal.Stop(signals); close(signals) })
	go func() {
		if _, came := <-signals; came {
			os.Exit(1)
		}
	}()
}
