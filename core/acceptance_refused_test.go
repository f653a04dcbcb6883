package core_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/core/machine/handshake"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// told is what both sides hear of a refusal: an event of kind trust about the other one,
// with the place, the fact and the next step in its reason.
func told(t *testing.T, events *tape, about name.Node, words ...string) {
	t.Helper()
	e := events.first("trust", "refused")
	if e.Node != about {
		t.Errorf("an event about %s, want %s", e.Node, about)
	}
	for _, word := range words {
		if !strings.Contains(e.Reason, word) {
			t.Errorf("the reason %q lacks %q", e.Reason, word)
		}
	}
	if e.Extra["address"] == "" || e.Extra["direction"] == "" {
		t.Errorf("extra %v, want address and direction", e.Extra)
	}
}

// Whatever the operator can set wrong between two nodes is refused, and each of them
// says what to set right.
func TestRefusalsTellBothSides(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what  string
		a, b  string
		want  error
		words []string
	}{
		{"cluster", "node.cluster=blue", "node.cluster=red", handshake.ErrCluster, []string{"blue", "red", "node.cluster"}},
		{"cookie differs", "auth.cookie=one-or-the-other", "auth.cookie=the-other-one", handshake.ErrCookie, []string{"auth.cookie"}},
		{"cookie here only", "auth.cookie=one-or-the-other", "auth.cookie=", handshake.ErrCookie, []string{"auth.cookie", "has none"}},
		{"auth off there", "auth.enabled=true", "auth.enabled=false", handshake.ErrAuthMode, []string{"auth.enabled", "disabled on b@127.0.0.1"}},
		{"auth off here", "auth.enabled=false", "auth.enabled=true", handshake.ErrAuthMode, []string{"auth.enabled", "disabled on a@127.0.0.1"}},
		{"strict", "trust.use=strict", "trust.use=tofu", trust.ErrUntrusted, []string{"b@127.0.0.1", "barrel trust add"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			f := newField(t)
			a, b := f.start("a@127.0.0.1", c.a), f.start("b@127.0.0.1", c.b)
			atA, atB := record(t, a), record(t, b)
			err := refused(t, b, a)
			if !errors.Is(err, c.want) {
				t.Errorf("join: %v, want %v", err, c.want)
			}
			if strings.Contains(err.Error(), "one-or-the-other") || strings.Contains(err.Error(), "the-other-one") {
				t.Errorf("the refusal tells the cookie: %v", err)
			}
			told(t, atA, b.Name(), c.words...)
			told(t, atB, a.Name(), c.words...)
			nobodyBesides(t, a, atA)
			nobodyBesides(t, b, atB)
		})
	}
}

// The other direction of strict: the dialer does not trust the node that answered.
func TestAStrictDialerRefuses(t *testing.T) {
	t.Parallel()
	f := newField(t)
	a, b := f.start("a@127.0.0.1"), f.start("b@127.0.0.1", "trust.use=strict")
	atA, atB := record(t, a), record(t, b)
	if err := refused(t, b, a); !errors.Is(err, trust.ErrUntrusted) {
		t.Errorf("join: %v, want an untrusted key", err)
	}
	told(t, atA, b.Name(), "a@127.0.0.1", "barrel trust add")
	told(t, atB, a.Name(), "a@127.0.0.1", "barrel trust add")
}

// A name that comes back with another key is refused in both modes, told on both sides,
// and the pin stays what it was until an operator removes it.
func TestAChangedKeyOverQUIC(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"tofu", "strict"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			f := newField(t)
			dir := t.TempDir()
			a, b := f.startIn(dir, "a@127.0.0.1"), f.start("b@127.0.0.1")
			f.join(b, a)
			stop(t, b)
			if err := adminOf(t, a).SetTrustMode(t.Context(), mode); err != nil {
				t.Fatal(err)
			}
			before := pinOf(t, dir, b.Name())
			thief := f.start("b@127.0.0.1") // the name, with a key of its own
			atA, atThief := record(t, a), record(t, thief)
			for range 2 {
				if err := thief.Join(t.Context(), a.Name()); !errors.Is(err, trust.ErrKeyMismatch) {
					t.Errorf("join: %v, want a key mismatch", err)
				}
			}
			told(t, atA, thief.Name(), before.Fingerprint()[:16], "barrel trust add b@127.0.0.1")
			told(t, atThief, a.Name(), "b@127.0.0.1")
			if pinOf(t, dir, b.Name()) != before {
				t.Error("the pin was replaced")
			}
			if stateAt(a, b.Name()) == membership.Alive || len(adminOf(t, a).Links()) > 0 {
				t.Error("the thief is a member, or has a link")
			}
		})
	}
}

// The dialer is the one that remembers another key.
func TestAChangedKeyOfTheDialed(t *testing.T) {
	t.Parallel()
	f := newField(t)
	dir := t.TempDir()
	a, b := f.start("a@127.0.0.1"), f.startIn(dir, "b@127.0.0.1")
	f.join(b, a)
	before := pinOf(t, dir, a.Name())
	stop(t, a)
	thief := f.start("a@127.0.0.1")
	eventually(t, "b has read the new address", func() bool {
		found, err := adminOf(t, b).Discover(t.Context(), a.Name(), false)
		return err == nil && slices.Equal(found.Answer.Endpoints, thief.Addresses())
	})
	if err := b.Join(t.Context(), thief.Name()); !errors.Is(err, trust.ErrKeyMismatch) {
		t.Errorf("join: %v, want a key mismatch", err)
	}
	if pinOf(t, dir, a.Name()) != before {
		t.Error("the pin was replaced")
	}
	if members(thief, membership.Alive) != 1 {
		t.Errorf("the thief has members: %v", thief.Members())
	}
}

// An address that leads to another node than the name says.
func TestAnotherNodeAtTheAddress(t *testing.T) {
	t.Parallel()
	f := newField(t)
	a := f.start("a@127.0.0.1")
	b := f.start("b@127.0.0.1", "discovery.use=static", "discovery.static.nodes.x@127.0.0.1="+a.Addresses()[0].String())
	atA, atB := record(t, a), record(t, b)
	err := b.Join(t.Context(), name.MustNode("x@127.0.0.1"))
	if !errors.Is(err, handshake.ErrWrongNode) {
		t.Errorf("join: %v, want the wrong node", err)
	}
	told(t, atA, b.Name(), "x@127.0.0.1", "a@127.0.0.1", "discovery")
	told(t, atB, name.MustNode("x@127.0.0.1"), "x@127.0.0.1", "a@127.0.0.1", "discovery")
}

// Without auth on both sides nodes get along, and both say all the time what that means.
func TestAuthOffOnBothSides(t *testing.T) {
	t.Parallel()
	f := newField(t)
	a, b := f.pair("auth.enabled=false")
	offerEcho(t, b)
	if out, err := call(t, a, "echo@b@127.0.0.1", "x"); err != nil || out != "echo: x" {
		t.Errorf("call: %q, %v", out, err)
	}
	for _, n := range []*core.Node{a, b} {
		if !warned(t, n, "auth is disabled") {
			t.Errorf("%s: warnings %v", n.Name(), adminOf(t, n).Status().Warnings)
		}
		if pins, err := adminOf(t, n).Pins(); err != nil || len(pins) > 0 {
			t.Errorf("%s pinned keys that nobody proved: %v, %v", n.Name(), pins, err)
		}
	}
}

// The cookie may come from a file, and alone lets in only whom both sides list.
func TestCookieOnlyOverQUIC(t *testing.T) {
	t.Parallel()
	f := newField(t)
	file := filepath.Join(t.TempDir(), "cookie")
	if err := os.WriteFile(file, []byte("a long shared secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cookie := "auth.cookie=a long shared secret"
	a := f.start("a@127.0.0.1", "auth.cookie_file="+file, "auth.cookie_only=probe@*")
	offerEcho(t, a)
	probe := f.start("probe@127.0.0.1", cookie, "auth.cookie_only=a@*")
	events := record(t, a)
	if out, err := call(t, probe, "echo@a@127.0.0.1", "x"); err != nil || out != "echo: x" {
		t.Errorf("call: %q, %v", out, err)
	}
	if e := events.first("link", "up"); e.Extra["proof"] != handshake.CookieOnly.String() {
		t.Errorf("the link came up with proof %q", e.Extra["proof"])
	}
	began := time.Now()
	if err := probe.Join(t.Context(), a.Name()); err == nil || !strings.Contains(err.Error(), "cookie_only") {
		t.Errorf("join of one that proves no key: %v", err)
	}
	if within(t, "refusing", began, 8*time.Second); members(a, membership.Alive) != 1 { // without a reason it takes 10s
		t.Error("a peer without a key is a member")
	}
	if pins, err := adminOf(t, a).Pins(); err != nil || len(pins) > 0 {
		t.Errorf("pins %v, %v", pins, err)
	}
	// One that is not listed has to prove its key, and is a member then.
	f.join(f.start("b@127.0.0.1", cookie, "auth.cookie_only=a@*"), a)
}
