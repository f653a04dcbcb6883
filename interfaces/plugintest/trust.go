package plugintest

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// TrustHarness says how to make the trust plugin under test.
type TrustHarness struct {
	// New makes a plugin that is not started. env.Pins is a *TrustPins.
	New func(t T, env trust.Env) trust.Plugin
	// AcceptsUnknown: the plugin accepts and pins the first key of a name that has no
	// pin. Without it, such a key must be refused and nothing may be pinned.
	AcceptsUnknown bool
	// Foreign: what the plugin accepts does not follow from pins; these it is known to
	// accept and to refuse.
	Foreign bool
	Accepts []trust.Claim
	Refuses []trust.Claim
}

// Trust checks that a trust plugin keeps the promises of the contract: only the key
// that is pinned for a name may be that name, a changed key is refused and never
// pinned, an operator's change counts at once, and whatever cannot be decided is a no.
// All of it is done twice: with the plugin itself, and with the wire between.
func Trust(t *testing.T, h TrustHarness) {
	t.Helper()
	runAll(t, h, h.checks())
	t.Run("wire", func(t *testing.T) { runAll(t, h.OverWire(), h.checks()) })
}

// TrustProcess is the suite of a trust plugin for a harness whose plugins live in
// processes of their own.
func TrustProcess(t *testing.T, h TrustHarness) {
	t.Helper()
	runAll(t, h, h.checks())
}

// checks are those that make sense of the plugin.
func (h TrustHarness) checks() []check[TrustHarness] {
	if h.Foreign {
		return trustForeignChecks()
	}
	return trustChecks()
}

func trustChecks() []check[TrustHarness] {
	return []check[TrustHarness]{
		{"lifecycle", trustLifecycle},
		{"pinned key is accepted", trustPinned},
		{"unknown key", trustUnknown},
		{"changed key is refused", trustChanged},
		{"changed key is never pinned", trustNeverRepins},
		{"key of another name does not help", trustOtherName},
		{"claim without name or key is refused", trustEmptyClaim},
		{"operator's change counts at once", trustOperator},
		{"unreadable store means no", trustUnreadable},
		{"pin that cannot be written means no", trustUnwritable},
		{"ended context means no", trustContext},
		{"stopped plugin says no", trustStopped},
		{"hearsay", trustHearsay},
		{"one winner of concurrent first contacts", trustConcurrent},
		{"refusals name the peer in one line", trustTexts},
		{"health tells of a broken store", trustHealth},
	}
}

// trustBench is a started plugin on its bench, with the store it was lent.
type trustBench struct {
	T
	h      TrustHarness
	pins   *TrustPins
	plugin trust.Plugin
	ctx    context.Context
}

func newTrustBench(t T, h TrustHarness) *trustBench {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	t.Cleanup(cancel)
	b := &trustBench{T: t, h: h, pins: NewTrustPins(), ctx: ctx}
	b.plugin = h.New(t, trust.Env{Env: Env(t, "self@127.0.0.1"), Pins: b.pins})
	if err := b.plugin.Start(ctx); err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() { expectStop(context.WithoutCancel(ctx), t, b.plugin, "Stop") })
	return b
}

// ask has the plugin decide about a peer that came in from outside.
func (b *trustBench) ask(node string, key trust.Key) error {
	return b.plugin.Decide(b.ctx, trustClaim(node, key))
}

func trustClaim(node string, key trust.Key) trust.Claim {
	return trust.Claim{
		Node: name.MustNode(node), Key: key, Cluster: "test",
		Remote: name.MustAddress("192.0.2.7:9100"),
	}
}

// testKey is the key number n. It is no point on the curve, which trust need not know.
func testKey(n byte) trust.Key { return sha256.Sum256([]byte{n}) }

func (b *trustBench) accepted(what string, err error) {
	b.Helper()
	if err != nil {
		b.Errorf("%s: refused: %v", what, err)
	}
}

func (b *trustBench) refused(what string, err, reason error) {
	b.Helper()
	switch {
	case err == nil:
		b.Errorf("%s: accepted", what)
	case !errors.Is(err, reason):
		b.Errorf("%s: refused with %q, which is no %q", what, err, reason)
	}
}

// undecided wants a refusal for the reason that there is no answer, which is another
// than that the peer is not trusted.
func (b *trustBench) undecided(what string, err error) {
	b.Helper()
	switch {
	case err == nil:
		b.Errorf("%s: accepted", what)
	case isVerdict(err):
		b.Errorf("%s: refused as if the peer were at fault: %v", what, err)
	}
}

func isVerdict(err error) bool {
	return errors.Is(err, trust.ErrUntrusted) || errors.Is(err, trust.ErrKeyMismatch)
}

// pinned wants exactly this pin of node; the zero key means none.
func (b *trustBench) pinned(node string, want trust.Key) {
	b.Helper()
	if got := b.pins.key(name.MustNode(node)); got != want {
		b.Errorf("pin of %s is %s, want %s", node, got, want)
	}
}

func trustLifecycle(t T, h TrustHarness) {
	lifecycle(t, func(t T) plugin.Part {
		return h.New(t, trust.Env{Env: Env(t, "self@127.0.0.1"), Pins: NewTrustPins()})
	})
}

func trustPinned(t T, h TrustHarness) {
	b := newTrustBench(t, h)
	b.pins.Put(name.MustNode("a@10.0.0.1"), testKey(1), "operator")
	for range 3 {
		b.accepted("pinned key", b.ask("a@10.0.0.1", testKey(1)))
	}
	dialed := trustClaim("a@10.0.0.1", testKey(1))
	dialed.Dialed, dialed.Remote = true, name.MustAddress("10.0.0.1:9100")
	b.accepted("pinned key, dialed", b.plugin.Decide(b.ctx, dialed))
	dialed.Remote = name.Address{}
	b.accepted("pinned key, remote address unknown", b.plugin.Decide(b.ctx, dialed))
}

func trustUnknown(t T, h TrustHarness) {
	b := newTrustBench(t, h)
	for range 2 {
		err := b.ask("a@10.0.0.1", testKey(1))
		if h.AcceptsUnknown {
			b.accepted("unknown key", err)
			b.pinned("a@10.0.0.1", testKey(1))
		} else {
			b.refused("unknown key", err, trust.ErrUntrusted)
			b.pinned("a@10.0.0.1", trust.Key{})
		}
	}
}

func trustChanged(t T, h TrustHarness) {
	b := newTrustBench(t, h)
	b.pins.Put(name.MustNode("a@10.0.0.1"), testKey(1), "operator")
	b.refused("changed key", b.ask("a@10.0.0.1", testKey(2)), trust.ErrKeyMismatch)
	dialed := trustClaim("a@10.0.0.1", testKey(2))
	dialed.Dialed = true
	b.refused("changed key, dialed", b.plugin.Decide(b.ctx, dialed), trust.ErrKeyMismatch)
}

func trustNeverRepins(t T, h TrustHarness) {
	b := newTrustBench(t, h)
	b.pins.Put(name.MustNode("a@10.0.0.1"), testKey(1), "tofu")
	for range 4 {
		b.refused("changed key, asked again", b.ask("a@10.0.0.1", testKey(2)), trust.ErrKeyMismatch)
	}
	expectStop(b.ctx, b, b.plugin, "Stop")
	if err := b.plugin.Start(b.ctx); err != nil {
		b.Fatalf("Start after Stop: %v", err)
	}
	b.refused("changed key, after a restart", b.ask("a@10.0.0.1", testKey(2)), trust.ErrKeyMismatch)
	b.accepted("pinned key, after all that", b.ask("a@10.0.0.1", testKey(1)))
	b.pinned("a@10.0.0.1", testKey(1))
}

func trustOtherName(t T, h TrustHarness) {
	b := newTrustBench(t, h)
	b.pins.Put(name.MustNode("a@10.0.0.1"), testKey(1), "operator")
	b.pins.Put(name.MustNode("b@10.0.0.1"), testKey(2), "operator")
	b.refused("key of another name", b.ask("b@10.0.0.1", testKey(1)), trust.ErrKeyMismatch)
	if !h.AcceptsUnknown {
		b.refused("key of another name, own name unknown", b.ask("c@10.0.0.1", testKey(1)), trust.ErrUntrusted)
	}
	b.accepted("own key", b.ask("b@10.0.0.1", testKey(2)))
}

func trustEmptyClaim(t T, h TrustHarness) {
	b := newTrustBench(t, h)
	b.refused("zero key", b.ask("a@10.0.0.1", trust.Key{}), trust.ErrUntrusted)
	b.refused("zero claim", b.plugin.Decide(b.ctx, trust.Claim{}), trust.ErrUntrusted)
	b.refused("zero name", b.plugin.Decide(b.ctx, trust.Claim{Key: testKey(1)}), trust.ErrUntrusted)
	if n := len(b.pins.All()); n != 0 {
		b.Errorf("%d pins, want none", n)
	}
}

func trustOperator(t T, h TrustHarness) {
	b := newTrustBench(t, h)
	node := name.MustNode("a@10.0.0.1")
	b.pins.Put(node, testKey(1), "operator")
	b.accepted("pinned key", b.ask("a@10.0.0.1", testKey(1)))
	b.pins.Put(node, testKey(2), "operator")
	b.refused("key that an operator replaced", b.ask("a@10.0.0.1", testKey(1)), trust.ErrKeyMismatch)
	b.accepted("key that an operator put", b.ask("a@10.0.0.1", testKey(2)))
	b.pins.Remove(node)
	err := b.ask("a@10.0.0.1", testKey(3))
	if h.AcceptsUnknown {
		b.accepted("new key after an operator removed the pin", err)
		b.pinned("a@10.0.0.1", testKey(3))
	} else {
		b.refused("key after an operator removed the pin", err, trust.ErrUntrusted)
	}
}

func trustUnreadable(t T, h TrustHarness) {
	b := newTrustBench(t, h)
	b.pins.Put(name.MustNode("a@10.0.0.1"), testKey(1), "operator")
	b.accepted("pinned key", b.ask("a@10.0.0.1", testKey(1)))
	b.pins.FailReads(errors.New("input/output error"))
	b.undecided("pinned key, store unreadable", b.ask("a@10.0.0.1", testKey(1)))
	b.undecided("changed key, store unreadable", b.ask("a@10.0.0.1", testKey(2)))
	b.undecided("unknown key, store unreadable", b.ask("b@10.0.0.1", testKey(3)))
	b.pinned("b@10.0.0.1", trust.Key{})
	b.pins.FailReads(nil)
	b.accepted("pinned key, store mended", b.ask("a@10.0.0.1", testKey(1)))
}

func trustUnwritable(t T, h TrustHarness) {
	b := newTrustBench(t, h)
	b.pins.Put(name.MustNode("a@10.0.0.1"), testKey(1), "operator")
	b.pins.FailWrites(errors.New("no space left on device"))
	b.accepted("pinned key, store read-only", b.ask("a@10.0.0.1", testKey(1)))
	for range 2 {
		if err := b.ask("b@10.0.0.1", testKey(2)); err == nil {
			b.Errorf("unknown key, store read-only: accepted")
		}
	}
	b.pinned("b@10.0.0.1", trust.Key{})
}

func trustContext(t T, h TrustHarness) {
	b := newTrustBench(t, h)
	b.pins.Put(name.MustNode("a@10.0.0.1"), testKey(1), "operator")
	ended, cancel := context.WithCancel(b.ctx)
	cancel()
	b.undecided("pinned key, context ended", b.plugin.Decide(ended, trustClaim("a@10.0.0.1", testKey(1))))
	b.undecided("unknown key, context ended", b.plugin.Decide(ended, trustClaim("b@10.0.0.1", testKey(2))))
	b.pinned("b@10.0.0.1", trust.Key{})
	b.accepted("pinned key, afterwards", b.ask("a@10.0.0.1", testKey(1)))
}

func trustStopped(t T, h TrustHarness) {
	b := newTrustBench(t, h)
	b.pins.Put(name.MustNode("a@10.0.0.1"), testKey(1), "operator")
	expectStop(b.ctx, b, b.plugin, "Stop")
	b.undecided("pinned key, plugin stopped", b.ask("a@10.0.0.1", testKey(1)))
	b.undecided("unknown key, plugin stopped", b.ask("b@10.0.0.1", testKey(2)))
	b.pinned("b@10.0.0.1", trust.Key{})
}

func trustTexts(t T, h TrustHarness) {
	b := newTrustBench(t, h)
	b.pins.Put(name.MustNode("a@10.0.0.1"), testKey(1), "operator")
	expectRefusalText(b, "changed key", b.ask("a@10.0.0.1", testKey(2)), "a@10.0.0.1")
	if !h.AcceptsUnknown {
		expectRefusalText(b, "unknown key", b.ask("b@10.0.0.1", testKey(2)), "b@10.0.0.1")
	}
}

// maxRefusal is how long a refusal of peers with ordinary names may be, in bytes: it
// travels in one frame and is read in one line of a log.
const maxRefusal = 1000

func expectRefusalText(t T, what string, err error, node string) {
	t.Helper()
	if err == nil {
		return // another check says so
	}
	text := err.Error()
	if !strings.Contains(text, node) || strings.ContainsAny(text, "\r\n") || len(text) > maxRefusal {
		t.Errorf("%s: the refusal must name %s in one line of at most %d bytes: %q", what, node, maxRefusal, text)
	}
}

func trustHealth(t T, h TrustHarness) {
	b := newTrustBench(t, h)
	reporter, ok := b.plugin.(plugin.HealthReporter)
	if !ok {
		return
	}
	expectState(b, reporter, "after Start", true)
	b.pins.Put(name.MustNode("a@10.0.0.1"), testKey(1), "operator")
	b.pins.FailReads(errors.New("input/output error"))
	b.undecided("pinned key, store unreadable", b.ask("a@10.0.0.1", testKey(1)))
	expectState(b, reporter, "with an unreadable store", false)
	b.pins.FailReads(nil)
	b.accepted("pinned key, store mended", b.ask("a@10.0.0.1", testKey(1)))
	expectState(b, reporter, "with a mended store", true)
}

// trustHealthSoon is how old the health may be: that of a plugin in a process of its own
// is what it said last.
const trustHealthSoon = time.Second

func expectState(t T, reporter plugin.HealthReporter, when string, healthy bool) {
	t.Helper()
	var got plugin.Health
	told := func() bool { got = reporter.Health(); return (got.State == plugin.Healthy) == healthy }
	if !discoveryWithin(trustHealthSoon, told) {
		t.Errorf("health %s is %q (%s)", when, got.State, got.Detail)
	}
}
