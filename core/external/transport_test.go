package external

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
)

func newTransport(t *testing.T, flaw string, port uint16) *transportFacade {
	t.Helper()
	made, err := Transport(self(t, plugin.Transport, flaw), quick()).New(plugintest.Env(t, "self@h"), &plugin.Section{"port": int64(port)})
	if err != nil {
		t.Fatal(err)
	}
	facade, _ := made.(*transportFacade)
	return facade
}

// occupied is a port that somebody has.
func occupied(t *testing.T) (port uint16, free func()) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free = func() { _ = listener.Close() }
	t.Cleanup(free)
	at, _ := listener.Addr().(*net.TCPAddr)
	return uint16(at.Port), free
}

// The new process of a transport has the address that the old one had. One that could
// not even begin leaves the old one alone; after one that cannot have its address the
// old program runs again.
func TestATransportIsReplaced(t *testing.T) {
	t.Parallel()
	port, free := occupied(t)
	taken, _ := occupied(t)
	free()
	facade := newTransport(t, "transport", port)
	if err := facade.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := facade.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("Stop: %v", err)
		}
	}()
	pid := func() int { return facade.Process().PID }
	expect := func() {
		t.Helper()
		if at := facade.Addresses(); pid() == 0 || len(at) != 1 || at[0].Port() != port {
			t.Errorf("process %d at %v, want one at port %d", pid(), at, port)
		}
	}
	expect()
	before := pid()
	if err := facade.Replace(t.Context(), newTransport(t, "transport", port)); err != nil {
		t.Fatal(err)
	}
	if expect(); pid() == before {
		t.Error("it is the same process")
	}
	before = pid()
	for flaw, port := range map[string]uint16{"dies early": port, "transport": 0} { // 0 is no setting
		err := facade.Replace(t.Context(), newTransport(t, flaw, port))
		if err == nil || !strings.Contains(err.Error(), "the old process stays") || pid() != before {
			t.Errorf("%s: %v; process %d, was %d", flaw, err, pid(), before)
		}
	}
	err := facade.Replace(t.Context(), newTransport(t, "transport", taken))
	if err == nil || !strings.Contains(err.Error(), "address already in use; the old program is started again") {
		t.Errorf("an address that is taken: %v", err)
	}
	if expect(); pid() == before {
		t.Error("it is the same process")
	}
	if got := facade.Process().Restarts; got != 0 {
		t.Errorf("%d restarts: what was asked for does not count", got)
	}
}
