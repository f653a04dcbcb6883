package core_test

import (
	"testing"

	"github.com/barrelp2p/barrel/interfaces/membership"
)

func TestIPv6(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.sets = []string{"transport.quic.listen=[::1]:0"}
	x, y := f.start("x@[::1]"), f.start("y@[::1]")
	f.join(y, x)
	offerEcho(t, x)
	if out, err := call(t, y, "echo@x@[::1]", "six"); err != nil || out != "echo: six" {
		t.Errorf("call: %q, %v", out, err)
	}
	if host := x.Addresses()[0].Host(); host != "::1" {
		t.Errorf("address %s", x.Addresses()[0])
	}
	if list := adminOf(t, x).Members(); list[1].Node != y.Name() || list[1].Address.Host() != "::1" {
		t.Errorf("members %+v", list)
	}
}

// By default a node listens on all addresses of both versions.
func TestBothIPVersions(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.sets = nil
	six, four := f.start("six@[::1]"), f.start("four@127.0.0.1")
	f.join(four, six)
	f.join(f.start("also@127.0.0.1"), six)
	eventually(t, "all know each other", func() bool { return members(four, membership.Alive) == 3 })
}
