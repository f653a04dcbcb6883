package plugintest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// flaw is what is wrong with a flawedTrust; none is a sound plugin.
type flaw string

const (
	sound             flaw = ""
	acceptsChanged    flaw = "accepts a changed key"
	tiresOfRefusing   flaw = "accepts a changed key that asks often enough"
	forgetsAtRestart  flaw = "accepts a changed key after a restart"
	trustsDialed      flaw = "accepts a changed key of a node it dialed"
	acceptsUnknown    flaw = "accepts an unknown key in strict mode"
	pinsUnknown       flaw = "pins an unknown key that it refuses"
	refusesUnknown    flaw = "refuses an unknown key in tofu mode"
	pinsNothing       flaw = "accepts an unknown key and does not pin it"
	trustsKeyAnywhere flaw = "accepts a key that is pinned for another name"
	acceptsEmpty      flaw = "accepts a claim without name or key"
	caches            flaw = "remembers what it accepted"
	failsOpen         flaw = "accepts when the store cannot be read"
	blamesPeer        flaw = "calls a peer untrusted when the store cannot be read"
	pinsInMemory      flaw = "accepts when the pin cannot be written"
	ignoresContext    flaw = "does not look at its context"
	outlivesStop      flaw = "accepts when stopped"
	letsAllWin        flaw = "accepts whoever it found no pin for, pinned or not"
	saysNothing       flaw = "refuses without saying whom"
	saysMuch          flaw = "refuses in several lines"
	alwaysWell        flaw = "calls itself healthy with a broken store"
	mixesReasons      flaw = "calls a changed key untrusted"
	failsTwice        flaw = "fails at the second Stop"
	believesHearsay   flaw = "believes whatever is said"
	pinsHearsay       flaw = "pins what it only heard"
)

// flawedTrust is a trust plugin for both modes with one thing wrong.
type flawedTrust struct {
	flaw  flaw
	tofu  bool
	pins  trust.Pins
	mu    sync.Mutex
	runs  bool
	stops int
	asked map[trust.Key]int
	seen  map[trust.Claim]bool
	sick  bool
}

func flawedHarness(f flaw, tofu bool) TrustHarness {
	return TrustHarness{AcceptsUnknown: tofu, New: func(_ T, env trust.Env) trust.Plugin {
		return &flawedTrust{flaw: f, tofu: tofu, pins: env.Pins, asked: map[trust.Key]int{}, seen: map[trust.Claim]bool{}}
	}}
}

func (p *flawedTrust) Start(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.runs, p.stops = true, 0
	return nil
}

func (p *flawedTrust) Stop(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.runs = false
	if p.stops++; p.flaw == failsTwice && p.stops > 1 {
		return errors.New("not running")
	}
	return nil
}

func (p *flawedTrust) Health() plugin.Health {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sick && p.flaw != alwaysWell {
		return plugin.Health{State: plugin.Degraded}
	}
	return plugin.Health{State: plugin.Healthy}
}

func (p *flawedTrust) Decide(ctx context.Context, c trust.Claim) error {
	if err := p.available(ctx); err != nil {
		return err
	}
	if (c.Node.IsZero() || c.Key.IsZero()) && p.flaw != acceptsEmpty {
		return fmt.Errorf("%w: no name or no key", trust.ErrUntrusted)
	}
	if p.remembered(c) {
		return nil
	}
	err := p.decide(c)
	if err == nil && p.flaw == caches {
		p.mu.Lock()
		p.seen[c] = true
		p.mu.Unlock()
	}
	return err
}

func (p *flawedTrust) Vet(c trust.Claim) error {
	pin, found, err := p.pins.Lookup(c.Node)
	switch {
	case p.flaw == believesHearsay:
		return nil
	case err != nil:
		return err
	case !found && p.flaw == pinsHearsay:
		_ = p.pins.PinIfAbsent(c.Node, c.Key, "test")
	case found && pin.Key != c.Key:
		return fmt.Errorf("%w: %s", trust.ErrKeyMismatch, c.Node)
	}
	if !found && !p.tofu {
		return fmt.Errorf("%w: %s", trust.ErrUntrusted, c.Node)
	}
	return nil
}

func (p *flawedTrust) available(ctx context.Context) error {
	if ctx.Err() != nil && p.flaw != ignoresContext {
		return ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.runs && p.flaw != outlivesStop {
		return errors.New("not running")
	}
	return nil
}

func (p *flawedTrust) remembered(c trust.Claim) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.flaw == caches && p.seen[c]
}

func (p *flawedTrust) decide(c trust.Claim) error {
	pin, found, err := p.pins.Lookup(c.Node)
	p.mu.Lock()
	p.sick = err != nil
	p.mu.Unlock()
	switch {
	case err != nil && p.flaw == failsOpen:
		return nil
	case err != nil && p.flaw == blamesPeer:
		return fmt.Errorf("%w: %s", trust.ErrUntrusted, c.Node)
	case err != nil:
		return err
	case found && pin.Key == c.Key:
		return nil
	case found:
		return p.changed(c)
	}
	return p.unknown(c)
}

func (p *flawedTrust) changed(c trust.Claim) error {
	p.mu.Lock()
	p.asked[c.Key]++
	asked := p.asked[c.Key]
	p.mu.Unlock()
	switch {
	case p.flaw == acceptsChanged,
		p.flaw == trustsDialed && c.Dialed,
		p.flaw == tiresOfRefusing && asked > 2,
		p.flaw == forgetsAtRestart && asked > 4,
		p.flaw == trustsKeyAnywhere && p.pinnedAnywhere(c.Key):
		return nil
	case p.flaw == saysNothing:
		return trust.ErrKeyMismatch
	case p.flaw == saysMuch:
		return fmt.Errorf("%w\nof %s", trust.ErrKeyMismatch, c.Node)
	case p.flaw == mixesReasons:
		return fmt.Errorf("%w of %s", trust.ErrUntrusted, c.Node)
	}
	return fmt.Errorf("%w: %s", trust.ErrKeyMismatch, c.Node)
}

func (p *flawedTrust) pinnedAnywhere(key trust.Key) bool {
	return slices.ContainsFunc(p.pins.(*TrustPins).All(), func(pin trust.Pin) bool { return pin.Key == key })
}

func (p *flawedTrust) unknown(c trust.Claim) error {
	if !p.tofu && p.flaw == acceptsUnknown || p.tofu && p.flaw == pinsNothing {
		return nil
	}
	if !p.tofu && p.flaw != pinsUnknown || p.tofu && p.flaw == refusesUnknown {
		return fmt.Errorf("%w: %s", trust.ErrUntrusted, c.Node)
	}
	err := p.pins.PinIfAbsent(c.Node, c.Key, "test")
	if !p.tofu {
		return fmt.Errorf("%w: %s", trust.ErrUntrusted, c.Node)
	}
	if p.flaw == pinsInMemory && !errors.Is(err, trust.ErrKeyMismatch) ||
		p.flaw == letsAllWin && errors.Is(err, trust.ErrKeyMismatch) {
		return nil
	}
	return err
}

func TestTrustSuitePassesSoundPlugins(t *testing.T) {
	for _, tofu := range []bool{false, true} {
		t.Run(fmt.Sprintf("accepts unknown=%v", tofu), func(t *testing.T) {
			Trust(t, flawedHarness(sound, tofu))
		})
	}
}

func TestTrustSuiteFindsFlaws(t *testing.T) {
	cases := []struct {
		flaw         flaw
		strict, tofu []string // the checks that must fail in each mode, and no others
	}{
		{acceptsChanged,
			[]string{"changed key is refused", "changed key is never pinned", "key of another name does not help", "operator's change counts at once"},
			[]string{"changed key is refused", "changed key is never pinned", "key of another name does not help", "operator's change counts at once"}},
		{tiresOfRefusing, []string{"changed key is never pinned"}, []string{"changed key is never pinned"}},
		{forgetsAtRestart, []string{"changed key is never pinned"}, []string{"changed key is never pinned"}},
		{trustsDialed, []string{"changed key is refused"}, []string{"changed key is refused"}},
		{acceptsUnknown,
			[]string{"unknown key", "key of another name does not help", "operator's change counts at once",
				"pin that cannot be written means no", "one winner of concurrent first contacts"}, nil},
		{pinsUnknown, []string{"unknown key"}, nil},
		{refusesUnknown, nil, []string{"unknown key", "operator's change counts at once", "one winner of concurrent first contacts"}},
		{pinsNothing, nil, []string{"unknown key", "operator's change counts at once",
			"pin that cannot be written means no", "one winner of concurrent first contacts"}},
		{trustsKeyAnywhere, []string{"key of another name does not help"}, []string{"key of another name does not help"}},
		{acceptsEmpty, nil, []string{"claim without name or key is refused"}},
		{caches,
			[]string{"operator's change counts at once", "unreadable store means no"},
			[]string{"operator's change counts at once", "unreadable store means no"}},
		{failsOpen,
			[]string{"unreadable store means no", "health tells of a broken store"},
			[]string{"unreadable store means no", "health tells of a broken store"}},
		{blamesPeer,
			[]string{"unreadable store means no", "health tells of a broken store"},
			[]string{"unreadable store means no", "health tells of a broken store"}},
		{pinsInMemory, nil, []string{"pin that cannot be written means no"}},
		{ignoresContext, []string{"ended context means no"}, []string{"ended context means no"}},
		{outlivesStop, []string{"stopped plugin says no"}, []string{"stopped plugin says no"}},
		{letsAllWin, nil, []string{"one winner of concurrent first contacts"}},
		{saysNothing, []string{"refusals name the peer in one line"}, []string{"refusals name the peer in one line"}},
		{saysMuch, []string{"refusals name the peer in one line"}, []string{"refusals name the peer in one line"}},
		{alwaysWell, []string{"health tells of a broken store"}, []string{"health tells of a broken store"}},
		{mixesReasons,
			[]string{"changed key is refused", "changed key is never pinned", "key of another name does not help", "operator's change counts at once"},
			[]string{"changed key is refused", "changed key is never pinned", "key of another name does not help", "operator's change counts at once"}},
		{believesHearsay, []string{"hearsay"}, []string{"hearsay"}},
		{pinsHearsay, []string{"hearsay"}, []string{"hearsay"}},
		{failsTwice, []string{"lifecycle", "stopped plugin says no"}, []string{"lifecycle", "stopped plugin says no"}},
	}
	for _, c := range cases {
		t.Run(string(c.flaw), func(t *testing.T) {
			if got := broken(t, flawedHarness(c.flaw, false), trustChecks()); !slices.Equal(got, c.strict) {
				t.Errorf("strict: found %q, want %q", got, c.strict)
			}
			if got := broken(t, flawedHarness(c.flaw, true), trustChecks()); !slices.Equal(got, c.tofu) {
				t.Errorf("tofu: found %q, want %q", got, c.tofu)
			}
		})
	}
}

func TestTrustPinsKeepTheirContract(t *testing.T) {
	pins, node := NewTrustPins(), name.MustNode("a@10.0.0.1")
	if _, found, err := pins.Lookup(node); found || err != nil {
		t.Errorf("empty store: %v, %v", found, err)
	}
	for range 2 {
		if err := pins.PinIfAbsent(node, testKey(1), "tofu"); err != nil {
			t.Error(err)
		}
	}
	if err := pins.PinIfAbsent(node, testKey(2), "tofu"); !errors.Is(err, trust.ErrKeyMismatch) {
		t.Errorf("other key: %v", err)
	}
	if all := pins.All(); len(all) != 1 || all[0].Key != testKey(1) || all[0].Source != "tofu" {
		t.Errorf("pins %v", all)
	}
}
