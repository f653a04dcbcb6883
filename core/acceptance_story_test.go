package core_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/core/machine/handshake"
	"github.com/barrelp2p/barrel/interfaces/membership"
)

// inOrder checks that the lines were told, in their order, with whatever between them.
func inOrder(t *testing.T, story, lines []string) {
	t.Helper()
	rest := story
	for _, line := range lines {
		i := slices.Index(rest, line)
		if i < 0 {
			t.Errorf("%q was not told, or too early, in\n%s", line, strings.Join(story, "\n"))
			return
		}
		rest = rest[i+1:]
	}
}

// One node sees others come, leave and die, and a stranger turned away, and does as much
// itself.
func TestTheWholeStory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const table = `
transport: {use: quic, quic: {listen: ":9100"}}
discovery:
  use: [static]
  static: {nodes: {"a@10.0.0.1": ["10.0.0.1:9100"]}}
`
		w := newWorld(t)
		a := w.boot(named("a@10.0.0.1") + table)
		seen := record(t, a)
		dies, leaves := w.boot(named("dies@10.0.0.2")+table), w.boot(named("leaves@10.0.0.3")+table)
		comesAndGoes := record(t, leaves)
		stranger := w.boot(`node: {name: stranger@10.0.0.4, cluster: another}` + table)
		w.join(dies, a)
		w.join(leaves, a)
		eventually(t, "all know each other", knowEachOther(dies, leaves))
		if err := stranger.Join(t.Context(), a.Name()); !isKind(err, handshake.ErrCluster) {
			t.Errorf("the stranger: %v", err)
		}
		seen.first("trust", "refused")
		r := offerEcho(t, a)
		if err := leaves.Leave(t.Context()); err != nil {
			t.Error(err)
		}
		w.ether.kill("10.0.0.2")
		eventually(t, "it is down", func() bool { return stateAt(a, dies.Name()) == membership.Down })
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		w.join(leaves, a)
		if err := a.Leave(t.Context()); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		tell(t, seen, a)
		inOrder(t, comesAndGoes.story(), []string{
			"node joined leaves@10.0.0.3", "node left leaves@10.0.0.3", "node joined leaves@10.0.0.3", "member left a@10.0.0.1",
		})
	})
}

func tell(t *testing.T, seen *tape, a *core.Node) {
	t.Helper()
	story := seen.story()
	for _, thread := range [][]string{
		{"link up dies@10.0.0.2", "peer up dies@10.0.0.2", "link down dies@10.0.0.2", "peer down dies@10.0.0.2", "member suspect dies@10.0.0.2", "member down dies@10.0.0.2"},
		{"link up leaves@10.0.0.3", "member up leaves@10.0.0.3", "member left leaves@10.0.0.3", "link up leaves@10.0.0.3", "member up leaves@10.0.0.3"},
		{"peer up leaves@10.0.0.3", "peer down leaves@10.0.0.3", "peer up leaves@10.0.0.3"},
		{"member up leaves@10.0.0.3", "trust refused stranger@10.0.0.4", "service registered a@10.0.0.1echo", "member left leaves@10.0.0.3", "service unregistered a@10.0.0.1echo", "node left a@10.0.0.1"},
	} {
		inOrder(t, story, thread)
	}
	for _, line := range story {
		if strings.Contains(line, "stranger") && !strings.HasPrefix(line, "trust refused") {
			t.Errorf("told %q", line)
		}
	}
	if e := seen.all("trust", "refused")[0]; e.Extra["direction"] != "accepted" || !strings.HasPrefix(e.Extra["address"], "10.0.0.4:") {
		t.Errorf("the refusal: %+v", e)
	}
	last := time.Time{}
	for _, e := range seen.events {
		if e.Time.Before(last) || e.Time.Location() != time.UTC {
			t.Errorf("%+v is out of time", e)
		}
		last = e.Time
	}
	if len(a.Members()) == 0 || len(a.View().Active) != 0 {
		t.Errorf("after leaving: %v, %v", a.Members(), a.View())
	}
}
