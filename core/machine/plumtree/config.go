package plumtree

import "time"

// Config says how a machine behaves. All values are more than zero where not said
// otherwise.
type Config struct {
	GraftAfter time.Duration // from the first announcement to the first GRAFT
	GraftNext  time.Duration // from a GRAFT to the next announcer; doubles with each round through all of them
	LazyAfter  time.Duration // for how long announcements are collected; 0: not at all
	Threshold  uint32        // a way that is shorter by so many hops replaces an edge; 0: never
	Greet      bool          // a new neighbour is told the recent messages and the state of the link
	Recent     time.Duration // what recent means there

	MaxPayload   int           // bytes of one broadcast
	CacheBytes   int           // payloads kept for GRAFT, in bytes
	CacheCount   int           // the same, in messages
	CacheAge     time.Duration // the same, in time
	MissingAge   time.Duration // for how long a missing message is asked for
	MaxMissing   int           // messages that are missing by the word of one peer
	MaxQueue     int           // announcements that wait for one link
	MaxAnnouncer int           // announcers remembered for one message
	MaxOrigins   int           // origins of which is remembered what was seen
}

// Defaults is what production runs with.
func Defaults() Config {
	return Config{
		GraftAfter: 100 * time.Millisecond, GraftNext: 60 * time.Millisecond, LazyAfter: 5 * time.Millisecond,
		Threshold: 7, Greet: true, Recent: 10 * time.Second,
		MaxPayload: 256 << 10, CacheBytes: 16 << 20, CacheCount: 1 << 15, CacheAge: 60 * time.Second,
		MissingAge: 45 * time.Second, MaxMissing: 4096, MaxQueue: 4096, MaxAnnouncer: 8, MaxOrigins: 1 << 15,
	}
}

// Paper is the machine of the publication: announcements leave at once, and a new
// neighbour hears of new messages only. threshold is 0, 3 or 7 there. The timers belong to a
// network where a hop takes hop.
func Paper(threshold uint32, hop time.Duration) Config {
	cfg := Defaults()
	cfg.GraftAfter, cfg.GraftNext, cfg.LazyAfter = 100*hop, 4*hop, 0
	cfg.Threshold, cfg.Greet = threshold, false
	return cfg
}
