package hyparview

import (
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// Config is what a machine is told at birth.
type Config struct {
	Active         int          // size of the active view, 1..MaxActive
	Passive        int          // size of the passive view
	ARWL           uint8        // steps of a forwarded join
	PRWL           uint8        // steps left when it is remembered passively
	ShuffleActive  int          // active peers in a shuffle
	ShufflePassive int          // passive peers in a shuffle; with the others and the node itself at most MaxIDs
	ShuffleTTL     uint8        // steps of a shuffle
	Shuffle        overlay.Time // between two shuffles; a quarter more or less
	Ask            overlay.Time // for a dial and the answer to a request
	Retry          overlay.Time // before a peer that failed is tried again; doubles
	RetryMax       overlay.Time // the most of it
	Fails          int          // in a row before a peer leaves the passive view
	MaxAge         overlay.Time // of a passive entry; 0: any
	Remember       int          // peers that failed too often; 0: none
	Reach          overlay.Time // between two dials of the remembered
	Settle         overlay.Time // before a free place is filled again, while most are taken
	Rejoin         overlay.Time // between two calls of discovery without neighbours; 0: never
	Greedy         bool         // a walk ends at once where there is room, and does not where there is none
	Handover       bool         // who must go is told for whom, and asks that one
}

// Limits that are not the user's business.
const (
	MaxActive = 32
	MaxIDs    = 16 // in one message

	maxAsks      = 64               // requests at a time, for whatever reason
	dialsAlone   = 16               // asks at a time without neighbours
	contacts     = 3                // of discovery that are joined at a time
	refusals     = 5                // in a row before a pause
	favoursKept  = 16               // peers that had their way, remembered for a while
	forcedPause  = 10 * time.Second // before such a peer has its way again
	mergePause   = 30 * time.Second // between two neighbours that were out of reach, of a node with a full view
	reachShare   = 16               // one more of so many remembered is dialed at a time
	aloneRetry   = 4                // Retry times this is the longest wait without neighbours
	shuffleBurst = 4                // shuffles that a neighbour may bring at once, beside one in each period
	shuffleSlack = 4                // the reply may come within the period divided by this, at least a second
)

// Default is what production uses.
func Default() Config {
	return Config{
		Active: 5, Passive: 120, ARWL: 6, PRWL: 3, ShuffleActive: 3, ShufflePassive: 4, ShuffleTTL: 6,
		Shuffle: 10 * time.Second, Ask: 5 * time.Second, Retry: time.Second, RetryMax: 5 * time.Minute,
		Fails: 5, MaxAge: 5 * time.Minute, Remember: 64, Reach: 10 * time.Second, Settle: time.Second, Rejoin: 5 * time.Second,
		Greedy: true, Handover: true,
	}
}

// Paper is the protocol as published, with its parameters: 5 and 30, what fails once is
// forgotten, nobody heals. The period of a cycle is the simulation's choice.
func Paper() Config {
	return Config{
		Active: 5, Passive: 30, ARWL: 6, PRWL: 3, ShuffleActive: 3, ShufflePassive: 4, ShuffleTTL: 6,
		Shuffle: 100 * time.Hour, Ask: 5 * time.Second, Retry: time.Second, RetryMax: 10 * time.Hour, Fails: 1,
	}
}
