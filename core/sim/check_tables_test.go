package sim_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// checkTable runs every scenario as a push does, of NODES nodes if r has a number of
// them, and says which held. A check that fails fails the test, too.
func checkTable(t *testing.T, r round) string {
	var text strings.Builder
	all := scenarios()
	if !r.long {
		all = all[:1] // the others are what TestScenarios runs
	}
	text.WriteString("Every check as `make test` runs it; the bounds are in its code, where its name finds it.\n\n")
	rows := newTable("check", "what", "nodes", "seeds", "holds")
	for _, s := range all {
		held, rounds := 0, s.rounds(0, r.nodes, false)
		for _, each := range rounds {
			if t.Run(fmt.Sprintf("%s/seed%d", s.name, each.seed), func(t *testing.T) { s.run(t, each) }) {
				held++
			}
		}
		rows.row(s.name, s.about, strconv.Itoa(rounds[0].nodes), strconv.Itoa(len(rounds)), fmt.Sprintf("%d of %d", held, len(rounds)))
	}
	text.WriteString(rows.String())
	return text.String()
}
