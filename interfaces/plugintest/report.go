package plugintest

import (
	"context"
	"os"
	"time"

	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// Finding is what came of one check: Said is what is wrong, and empty if the promise is
// kept.
type Finding struct {
	Check string
	Said  []string
	Took  time.Duration
}

// DiscoveryReport runs the suite of a discovery backend without a test around it, for a
// program that shows what came of it. It goes on to tell after each check. Whoever ends
// ctx ends the report.
func DiscoveryReport(ctx context.Context, h DiscoveryHarness, tell func(Finding)) {
	report(ctx, h, discoveryChecks(), tell)
}

// TrustReport is DiscoveryReport for a trust plugin.
func TrustReport(ctx context.Context, h TrustHarness, tell func(Finding)) {
	report(ctx, h, h.checks(), tell)
}

// TransportReport is DiscoveryReport for a transport.
func TransportReport(ctx context.Context, h TransportHarness, tell func(Finding)) {
	report(ctx, h, transportChecks(), tell)
}

// MembershipReport is DiscoveryReport for a membership. Each check has nodes of its own, all
// of that membership.
func MembershipReport(ctx context.Context, h MembershipHarness, tell func(Finding)) {
	report(ctx, h, h.checks(), tell)
}

// RegistryReport is MembershipReport for a registry.
func RegistryReport(ctx context.Context, h RegistryHarness, tell func(Finding)) {
	report(ctx, h, h.checks(), tell)
}

func report[H any](ctx context.Context, h H, checks []check[H], tell func(Finding)) {
	for _, c := range checks {
		if ctx.Err() != nil {
			return
		}
		begun := time.Now()
		r := &reporter{ctx: ctx}
		said := record(r, func(t T) { c.run(t, h) })
		r.clean()
		tell(Finding{Check: c.name, Said: said, Took: time.Since(begun)})
	}
}

// reporter is where a check runs that is no test.
type reporter struct {
	ctx  context.Context
	dirs []string
}

// Logf says nothing.
func (*reporter) Logf(string, ...any) {}

// Context is that of the report.
func (r *reporter) Context() context.Context { return r.ctx }

// TempDir is a directory that is removed after the check. Without one the check fails
// where it wants to use it.
func (r *reporter) TempDir() string {
	dir, err := os.MkdirTemp("", "barrel-check")
	if err != nil {
		return ""
	}
	r.dirs = append(r.dirs, dir)
	return dir
}

func (r *reporter) clean() {
	for _, dir := range r.dirs {
		_ = os.RemoveAll(dir)
	}
}

// trustForeignChecks are what every trust plugin has to keep, whatever its policy is.
func trustForeignChecks() []check[TrustHarness] {
	return []check[TrustHarness]{
		{"lifecycle", trustLifecycle},
		{"accepts whom it should", trustForeignAccepts},
		{"refuses whom it should", trustForeignRefuses},
		{"a stranger is refused", trustForeignStranger},
		{"claim without name or key is refused", trustEmptyClaim},
		{"ended context means no", trustForeignContext},
		{"stopped plugin says no", trustForeignStopped},
		{"health is a known state", trustForeignHealth},
	}
}

func trustForeignAccepts(t T, h TrustHarness) {
	t.Helper()
	b := newTrustBench(t, h)
	for range 2 {
		for _, claim := range h.Accepts {
			b.accepted(claim.Node.String(), b.plugin.Decide(b.ctx, claim))
		}
	}
}

func trustForeignRefuses(t T, h TrustHarness) {
	t.Helper()
	b := newTrustBench(t, h)
	for range 2 {
		for _, claim := range h.Refuses {
			b.verdict(claim)
		}
	}
}

// trustForeignStranger: a plugin that accepts everybody is none, unless it pins them.
func trustForeignStranger(t T, h TrustHarness) {
	t.Helper()
	b := newTrustBench(t, h)
	if claim := trustClaim("stranger@10.99.99.99", testKey(201)); !h.AcceptsUnknown {
		b.verdict(claim)
	}
}

// verdict wants a refusal for the peer's sake, in words that it can use.
func (b *trustBench) verdict(claim trust.Claim) {
	b.Helper()
	err := b.plugin.Decide(b.ctx, claim)
	switch {
	case err == nil:
		b.Errorf("%s: accepted", claim.Node)
	case !isVerdict(err):
		b.Errorf("%s: refused with %q, which is neither untrusted nor a key mismatch", claim.Node, err)
	default:
		expectRefusalText(b, "refusal", err, claim.Node.String())
	}
}

// someone is whom the plugin accepts, or else a stranger.
func (h TrustHarness) someone() trust.Claim {
	if len(h.Accepts) > 0 {
		return h.Accepts[0]
	}
	return trustClaim("stranger@10.99.99.99", testKey(201))
}

func trustForeignContext(t T, h TrustHarness) {
	t.Helper()
	b := newTrustBench(t, h)
	ended, cancel := context.WithCancel(b.ctx)
	cancel()
	b.undecided("context ended", b.plugin.Decide(ended, h.someone()))
}

func trustForeignStopped(t T, h TrustHarness) {
	t.Helper()
	b := newTrustBench(t, h)
	expectStop(b.ctx, b, b.plugin, "Stop")
	if err := b.plugin.Decide(b.ctx, h.someone()); err == nil {
		b.Errorf("accepted after Stop")
	}
}

func trustForeignHealth(t T, h TrustHarness) {
	t.Helper()
	b := newTrustBench(t, h)
	if reporter, ok := b.plugin.(plugin.HealthReporter); ok {
		expectState(b, reporter, "after Start", true)
	}
}
