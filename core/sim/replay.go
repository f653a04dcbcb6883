package sim

import "fmt"

// Replay is the command that runs a scenario again as it was.
func Replay(scenario string, seed uint64, nodes int) string {
	return fmt.Sprintf("make sim SCENARIO=%s SEED=%d NODES=%d", scenario, seed, nodes)
}
