package plugintest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
)

func tinyHarness(flaws tinyFlaws, patience time.Duration) MembershipHarness {
	return MembershipHarness{patience: patience, New: func(_ T, env membership.Env) membership.Plugin {
		return &tiny{env: env, flaws: flaws, known: map[name.Node]*tinyMember{}, waiting: map[name.Node][]chan error{}}
	}}
}

func TestMembershipSuitePasses(t *testing.T) { Membership(t, tinyHarness(tinyFlaws{}, 0)) }

// TestMembershipSuiteCatches runs, for each flaw, the check that is about it: it must
// fail, and say why.
func TestMembershipSuiteCatches(t *testing.T) {
	cases := []struct {
		flaws tinyFlaws
		check string
		says  string
	}{
		{tinyFlaws{stopOnce: true}, "lifecycle", "second Stop"},
		{tinyFlaws{selfMissing: true}, "alone", "want itself"},
		{tinyFlaws{selfInView: true}, "alone", "View of a node alone"},
		{tinyFlaws{unsorted: true}, "two nodes join", "sorted"},
		{tinyFlaws{noEndpoints: true}, "two nodes join", "endpoints"},
		{tinyFlaws{noKeys: true}, "two nodes join", "the key of"},
		{tinyFlaws{upTwice: true}, "two nodes join", `"member up" told`},
		{tinyFlaws{noHearsay: true}, "three through one seed", "sees"},
		{tinyFlaws{neverHolds: true}, "active links are held", "Hold"},
		{tinyFlaws{joinsItself: true}, "join tells why not", "through itself"},
		{tinyFlaws{textErrors: true}, "join tells why not", "what Connect said"},
		{tinyFlaws{ignoresContext: true}, "join honours its context", "return of Join"},
		{tinyFlaws{stopsInsteadOfLeaving: true}, "leave is told from death", `"member suspect" told`},
		{tinyFlaws{notSticky: true}, "leave is sticky until join", "ErrLeft"},
		{tinyFlaws{noWayBack: true}, "leave is sticky until join", "sees b@fabric alive"},
		{tinyFlaws{neverSuspects: true}, "crash is noticed", "c is down"},
		{tinyFlaws{diesAsLeft: true}, "crash is noticed", "c is down"},
		{tinyFlaws{noHeal: true}, "partition heals", "alive"},
		{tinyFlaws{neverAlone: true}, "an outage heals by itself", "isolated"},
		{tinyFlaws{noHeal: true}, "an outage heals by itself", "alive"},
		{tinyFlaws{noRestart: true}, "restart begins a new life", "before its old one"},
		{tinyFlaws{noHearsay: true}, "a new life is linked while the old one seems to last", "as a neighbour"},
		{tinyFlaws{pastSpeaks: true}, "dead past does not speak", "earlier life"},
		{tinyFlaws{idleIsDeath: true}, "peaceful close is no failure", "peaceful close for a failure"},
		{tinyFlaws{inputWaits: true}, "input never blocks", "Inputs while Connect hangs"},
		{tinyFlaws{believesFrames: true}, "hostile frames do no harm", "frames made a say"},
		{tinyFlaws{repeatsDown: true}, "events tell each change once", "repeats"},
		{tinyFlaws{upFirst: true}, "events tell each change once", "before the life before it was down"},
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%s: %s", c.check, c.says), func(t *testing.T) {
			t.Parallel()
			said := strings.Join(runCheck(t, tinyHarness(c.flaws, 3*time.Second), c.check), "; ")
			if !strings.Contains(said, c.says) {
				t.Errorf("check %q of %+v said %q, want %q in it", c.check, c.flaws, said, c.says)
			}
		})
	}
}

func runCheck(t *testing.T, h MembershipHarness, name string) []string {
	t.Helper()
	for _, c := range membershipChecks() {
		if c.name == name {
			return Record(t, func(r T) { c.run(r, h) })
		}
	}
	t.Fatalf("no check %q", name)
	return nil
}
