package core_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/core/identity"
	"github.com/barrelp2p/barrel/core/machine/handshake"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// refused joins and returns why that did not work.
func refused(t *testing.T, joiner, through *core.Node) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := joiner.Join(ctx, through.Name())
	if err == nil {
		t.Fatalf("%s was taken in by %s", joiner.Name(), through.Name())
	}
	if n := members(through, membership.Alive); n != 1 {
		t.Errorf("%s has %d members, want itself only", through.Name(), n)
	}
	return err
}

func TestAnotherClusterIsRefusedByName(t *testing.T) {
	lab := newLab(t)
	a, b := lab.start("a@127.0.0.1", "node.cluster=blue"), lab.start("b@127.0.0.1", "node.cluster=red")
	err := refused(t, b, a)
	if !errors.Is(err, handshake.ErrCluster) || !strings.Contains(err.Error(), "blue") || !strings.Contains(err.Error(), "red") {
		t.Errorf("join: %v, want both clusters named", err)
	}
}

func TestWrongCookieIsRefused(t *testing.T) {
	for what, cookies := range map[string][2]string{
		"different":  {"auth.cookie=one-secret-or-the-other", "auth.cookie=the-other-secret"},
		"only there": {"auth.cookie=one-secret-or-the-other", "auth.cookie="},
		"only here":  {"auth.cookie=", "auth.cookie=the-other-secret"},
	} {
		t.Run(what, func(t *testing.T) {
			lab := newLab(t)
			a, b := lab.start("a@127.0.0.1", cookies[0]), lab.start("b@127.0.0.1", cookies[1])
			if err := refused(t, b, a); !errors.Is(err, handshake.ErrCookie) {
				t.Errorf("join: %v, want a refusal of the cookie", err)
			} else if strings.Contains(err.Error(), "secret") {
				t.Errorf("the refusal tells the cookie: %v", err)
			}
		})
	}
}

func TestEqualCookiesAndAFileWork(t *testing.T) {
	lab := newLab(t)
	file := filepath.Join(t.TempDir(), "cookie")
	if err := os.WriteFile(file, []byte("a long shared secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := lab.start("a@127.0.0.1", "auth.cookie=a long shared secret")
	b := lab.start("b@127.0.0.1", "auth.cookie_file="+file)
	if err := b.Join(t.Context(), a.Name()); err != nil {
		t.Error(err)
	}
}

// A name whose key changed is refused, in both modes, and the pin stays what it was.
func TestChangedKeyIsRefusedAndNeverPinned(t *testing.T) {
	for _, mode := range []string{"tofu", "strict"} {
		t.Run(mode, func(t *testing.T) {
			lab := newLab(t)
			dir := t.TempDir()
			a := lab.startIn(dir, "a@127.0.0.1")
			b := lab.start("b@127.0.0.1")
			if err := b.Join(t.Context(), a.Name()); err != nil {
				t.Fatal(err)
			}
			stop(t, b)
			admin, err := a.Admin()
			if err != nil {
				t.Fatal(err)
			}
			if err := admin.SetTrustMode(t.Context(), mode); err != nil {
				t.Fatal(err)
			}
			before := pinOf(t, dir, b.Name())
			thief := lab.start("b@127.0.0.1") // the name, with a key of its own
			if err := thief.Join(t.Context(), a.Name()); !errors.Is(err, trust.ErrKeyMismatch) {
				t.Errorf("join: %v, want a key mismatch", err)
			}
			if after := pinOf(t, dir, b.Name()); after != before {
				t.Error("the pin was replaced")
			}
		})
	}
}

func pinOf(t *testing.T, dir string, node name.Node) trust.Key {
	t.Helper()
	pins, err := identity.OpenPins(dir)
	if err != nil {
		t.Fatal(err)
	}
	pin, found, err := pins.Lookup(node)
	if err != nil || !found {
		t.Fatalf("no pin of %s: %v", node, err)
	}
	return pin.Key
}

func TestStrictRefusesUntilTheKeyIsPinned(t *testing.T) {
	lab := newLab(t)
	a, b := lab.start("a@127.0.0.1", "trust.use=strict"), lab.start("b@127.0.0.1")
	if err := refused(t, b, a); !errors.Is(err, trust.ErrUntrusted) {
		t.Errorf("join: %v, want an untrusted key", err)
	}
	ofA, errA := a.Admin()
	ofB, errB := b.Admin()
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	key, err := identity.ParseKey(ofB.Keys().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if err := ofA.AddPin(b.Name(), key); err != nil {
		t.Fatal(err)
	}
	if err := b.Join(t.Context(), a.Name()); err != nil {
		t.Errorf("join with the key pinned: %v", err)
	}
}

// A peer that only the cookie let in can send and call, and is nobody's neighbour.
func TestCookieOnlyPeerIsNoMember(t *testing.T) {
	lab := newLab(t)
	cookie := "auth.cookie=a long shared secret"
	a := lab.start("a@127.0.0.1", cookie, "auth.cookie_only=probe@*")
	probe := lab.start("probe@127.0.0.1", cookie, "auth.cookie_only=a@*")
	if _, err := a.Register(t.Context(), name.MustService("echo"), nil, echo); err != nil {
		t.Fatal(err)
	}
	out, err := probe.Call(t.Context(), "echo@a@127.0.0.1", []byte("x"))
	if err != nil || string(out) != "echo: x" {
		t.Errorf("call: %q, %v", out, err)
	}
	if n := members(a, membership.Alive); n != 1 {
		t.Errorf("a has %d members, want itself only", n)
	}
}

func TestRotatedIdentityIsUsedAtOnce(t *testing.T) {
	lab := newLab(t)
	a, b := lab.start("a@127.0.0.1"), lab.start("b@127.0.0.1")
	if err := b.Join(t.Context(), a.Name()); err != nil {
		t.Fatal(err)
	}
	admin, err := b.Admin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Rotate(t.Context(), "identity"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Ping(t.Context(), a.Name()); err != nil {
		t.Errorf("the link that was up did not survive: %v", err)
	}
	if err := b.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the link is closed", func() bool { return members(a, membership.Left) == 1 })
	if err := b.Join(t.Context(), a.Name()); !errors.Is(err, trust.ErrKeyMismatch) {
		t.Errorf("join with a new key: %v, want a key mismatch until the old pin is removed", err)
	}
}
