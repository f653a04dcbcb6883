package liveness

import (
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// Config says how a machine behaves. All values are more than zero where not said
// otherwise.
type Config struct {
	Tick       time.Duration // between two packets of counters over one link
	Round      time.Duration // of an inquiry, when this node is well
	Helpers    int           // neighbours that are asked to look; 0: nobody
	SuspectMin time.Duration // a suspicion of Observers observers or more lasts that long
	SuspectMax time.Duration // of one observer
	Observers  int           // at least 2

	Damp time.Duration // between two downs of a member in one life

	CounterMin  time.Duration // between two steps of a counter
	CounterRate int           // the same in a large cluster: so many steps per second in all of it
	Expire      int           // steps that may be missed

	GuardShare float64       // of the members: more that fall while a counter expires are a mass event
	GuardLeast int           // fewer than that never are
	GuardCalm  time.Duration // without change for that long, the mass event is over

	Spread     time.Duration // refutations that many give at once are spread over that
	Pulse      time.Duration // between two broadcasts that mend the tree, in the whole cluster
	Compare    time.Duration // between two comparisons with a neighbour, when the last ones brought nothing
	Quarantine time.Duration // for how long a member that is down or left is kept
	Watermark  time.Duration // for how long its last life is remembered after that

	MaxMembers    int     // records, this node included
	MaxWatermarks int     // lives remembered
	MaxInc        uint64  // no life has a higher number
	Accusations   int     // what one observer may accuse at once
	AccuseRate    float64 // and per second after that

	// ID is a number of a node that is the same everywhere, for comparisons; nil: the
	// handle is.
	ID func(overlay.Peer) uint64
}

// Defaults is what production runs with.
func Defaults() Config {
	return Config{
		Tick: time.Second, Round: 700 * time.Millisecond, Helpers: 2, SuspectMin: 2 * time.Second, SuspectMax: 8 * time.Second, Observers: 4, Damp: time.Minute,
		CounterMin: 5 * time.Second, CounterRate: 200, Expire: 3,
		GuardShare: 0.2, GuardLeast: 4, GuardCalm: 10 * time.Second,
		Spread: 5 * time.Second, Pulse: 2 * time.Second, Compare: 10 * time.Second, Quarantine: 10 * time.Minute, Watermark: 24 * time.Hour,
		MaxMembers: 20_000, MaxWatermarks: 100_000, MaxInc: 1 << 53, Accusations: 16, AccuseRate: 0.5,
	}
}

// Limits that are not the user's business.
const (
	maxEntries    = 256                    // in one message
	maxProofs     = 32                     // entries with proofs in one message
	maxCounts     = 512                    // in one message
	maxInquiries  = 64                     // at a time
	maxRelays     = 64                     // looks for others, at a time
	maxHealth     = 8                      // the worst
	stallLeast    = 500 * time.Millisecond // later than that, and this node was asleep
	selfDoubt     = 3                      // links lost within a second that make this node doubt itself
	calmHealth    = 3 * time.Second        // without incident, and it is better by one
	sweepPeriod   = 100 * time.Millisecond // between two looks at what is pending
	scanPerTick   = 2048                   // records looked at per tick
	maxLate       = 1024                   // overdue steps asked for per tick
	lateMany      = 8                      // one in so many steps overdue are many
	pulses        = 4                      // in the whole cluster per tick, when many are
	youngRounds   = 10                     // comparisons, one per tick, before they become rarer
	moreRounds    = 3                      // of those again, after one that brought something
	tableEach     = 2 * time.Millisecond   // for each entry, between two tables to one neighbour
	tablePause    = 2 * time.Second        // the same for large tables
	maxWanted     = 512                    // records asked of one neighbour per tick
	deafPause     = time.Minute            // for a neighbour that did not prove what it offered
	spurnPause    = time.Minute            // before a member is asked for that was not accepted
	maxSpurned    = 4096                   // of those remembered
	newsWait      = 200 * time.Millisecond // before news are passed on; a broadcast is faster
	newsLinks     = 16                     // over which they are passed on at a time
	fewNews       = 8                      // more are not told one by one
	settling      = 5 * time.Second        // after that, broadcasts follow a new link
	doubtPause    = 5 * time.Second        // between two doubts about one member
	refutePause   = time.Second            // between two refutations
	maxLateDoubts = 16                     // members doubted per tick because their steps are overdue
	lateDoubters  = 4                      // nodes that say such a doubt per tick, in the whole cluster, at first
	unheardEach   = 2                      // members that a path is looked for per doubt
	speakWait     = 2 * time.Second        // for the word of who was doubted, before it expires
	speakEach     = 50 * time.Millisecond  // for each member named in a doubt, before all of them have spoken
	counterSlack  = 16                     // steps a counter may be ahead of its time
	buckets       = 32                     // of a comparison
)
