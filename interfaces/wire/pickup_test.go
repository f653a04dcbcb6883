package wire

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/proto/transportv1"
)

// A plugin names a file in its folder, and a link there could have the host connect to a
// socket that the plugin cannot.
func TestASymlinkIsNotPickedUp(t *testing.T) {
	own, foreign := t.TempDir(), filepath.Join(t.TempDir(), "socket")
	listener, err := net.Listen("unix", foreign)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	if err := os.Symlink(foreign, filepath.Join(own, "bytes")); err != nil {
		t.Fatal(err)
	}
	host := NewTransport(nil, own)
	in := &transportv1.Connection{
		Token: make([]byte, tokenSize), Binding: make([]byte, 32),
		Info: &transportv1.Info{Local: "127.0.0.1:1", Remote: "127.0.0.1:2"},
	}
	for socket, want := range map[string]error{"bytes": ErrMalformed, "none": plugin.ErrGone} {
		in.Socket = socket
		conn, err := host.pickUp(t.Context(), in)
		if conn != nil || !errors.Is(err, want) {
			t.Errorf("%s: %v, %v, want %v", socket, conn, err, want)
		}
	}
}
