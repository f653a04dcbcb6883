package plugintest

import "testing"

// BrokenTransport is what the suite of transports finds wrong. It is for the test of the
// suite, which stands outside of this package because it needs a transport that works.
func BrokenTransport(t *testing.T, h TransportHarness) []string {
	t.Helper()
	return broken(t, h, transportChecks())
}
