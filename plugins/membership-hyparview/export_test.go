package membershiphyparview

import "github.com/barrelp2p/barrel/interfaces/membership"

// Hasty makes the plugin with timers that are shorter than its settings give.
func Hasty(env membership.Env) (membership.Plugin, error) { return Factory().New(env, hasty()) }
