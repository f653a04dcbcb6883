package name_test

import (
	"strings"
	"testing"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// canonical checks what holds for every text: what was parsed once is parsed to the
// same value from its own text, is bounded, and has no character that hurts a log or a
// file name.
func canonical[N comparable](t *testing.T, text string, limit int, parse func(string) (N, error), write func(N) string) {
	t.Helper()
	value, err := parse(text)
	var zero N
	if err != nil {
		if value != zero {
			t.Errorf("%q: an error and a value, %v", text, value)
		}
		return
	}
	out := write(value)
	if value == zero || out == "" || len(out) > limit || strings.ContainsAny(out, " \t\r\n\x00\\\"'") {
		t.Errorf("%q was parsed to %q", text, out)
	}
	if again, err := parse(out); err != nil || again != value {
		t.Errorf("%q was parsed to %q and that to %v, %v", text, out, again, err)
	}
}

func seeds(f *testing.F) {
	for _, text := range []string{
		"", "a@10.0.0.1", "a@[fd00::1]", "a@[::ffff:1.2.3.4]", "A@B.c", "10.0.0.1:9100", "[fe80::1%e]:1", "h:65535",
		"chat_room/general", "a@h/1/2", "a@[::]/0/1", "a@1.2.3", "[::ffff:1.2.3.4%x]:1",
	} {
		f.Add(text)
	}
}

func FuzzNode(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		canonical(t, text, name.MaxNode, name.ParseNode, name.Node.String)
	})
}

func FuzzAddress(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		canonical(t, text, name.MaxNode+8, name.ParseAddress, name.Address.String)
	})
}

func FuzzService(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		canonical(t, text, name.MaxService, name.ParseService, name.Service.String)
	})
}

func FuzzRef(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		canonical(t, text, name.MaxNode+2*21, name.ParseRef, name.Ref.String)
	})
}
