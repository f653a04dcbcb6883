package ownerlog

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"

	"github.com/barrelp2p/barrel/core/machine/antientropy"
	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// Verdict says whether a signature is its owner's.
type Verdict uint8

// The verdicts.
const (
	Unknown Verdict = iota // the owner's key is not known
	Good
	Bad
)

// Config is who this replica is, and its bounds.
type Config struct {
	Self name.Node
	Inc  uint64
	// First is a number that all batches of this node are to exceed: what others have of
	// it from before, within the same incarnation, is then replaced by what it says now.
	First uint64
	// Sign signs a message as this node.
	Sign func(message []byte) Signature
	// Verify says whether the signature under a message is the owner's.
	Verify func(owner name.Node, message []byte, sig *Signature) Verdict

	MaxOwners  int           // logs, living or not
	MaxItems   int           // live entries of one owner
	MaxBytes   int           // bytes of their keys and values
	GapAfter   time.Duration // for how long a missing batch is waited for
	Quarantine time.Duration // until the entries of an owner that is gone are freed
	Watermark  time.Duration // until it is forgotten that there was such an owner
}

// Defaults is the configuration of production, without Self, Inc, Sign and Verify.
func Defaults() Config {
	return Config{
		MaxOwners: 1 << 16, MaxItems: 10_000, MaxBytes: 16 << 20,
		GapAfter: 2 * time.Second, Quarantine: time.Hour, Watermark: 24 * time.Hour,
	}
}

// Stats counts what happened, for people and metrics.
type Stats struct {
	Applied   uint64 // batches
	Snapshots uint64 // merged
	Stale     uint64 // batches and snapshots that were known, or older
	Early     uint64 // batches that came before one they need
	Forged    uint64 // whose signature is not the owner's
	Strange   uint64 // whose owner's key is not known
	Forked    uint64 // that were signed and do not fit what was signed before
	Oversize  uint64 // that would have exceeded a bound
	Freed     uint64 // logs whose entries were given up
	Clones    uint64 // that speak of a later life of this very node
	LeftOut   uint64 // times that an owner was alive and there was no room for it
}

// ChangeKind says what happened to a visible entry.
type ChangeKind uint8

// The changes.
const (
	Added   ChangeKind = iota + 1
	Updated            // Old is what it was
	Removed            // by its owner; Reason is the owner's
	Hidden             // its owner is gone; Reason says why
)

// Change is one change of what is visible.
type Change struct {
	Kind   ChangeKind
	Owner  name.Node
	Inc    uint64
	Key    string
	Val    string // of a removal: what it was
	Old    string
	Reason string
}

// Store is the logs of all owners. It is not safe for concurrent use.
type Store struct {
	cfg     Config
	logs    map[string]*log
	buckets [antientropy.Buckets][]*log
	sums    antientropy.Sums
	own     *log
	staged  []Op
	stagedN int // their bytes
	changes []Change
	wanted  []string // owners to be fetched without delay
	gaps    []*log   // in which something is, or was, missing
	sweep   int
	stats   Stats
}

// New makes a store that knows nobody but its own node.
func New(cfg Config) *Store {
	s := &Store{cfg: cfg, logs: map[string]*log{}}
	s.own = s.open(0, cfg.Self)
	s.own.alive, s.own.goneAt = cfg.Inc, overlay.Never
	s.own.head = Head{Owner: cfg.Self, Inc: cfg.Inc}
	return s
}

// Stats is what happened so far.
func (s *Store) Stats() Stats { return s.stats }

// Changes returns what changed since the last call, in order.
func (s *Store) Changes() []Change {
	list := s.changes
	s.changes = nil
	return list
}

// Wanted returns the owners that should be fetched now, since the last call.
func (s *Store) Wanted() []string {
	list := s.wanted
	s.wanted = nil
	return list
}

func (s *Store) want(l *log) {
	if l != s.own && !l.oversize && !slices.Contains(s.wanted, l.key) {
		s.wanted = append(s.wanted, l.key)
	}
}

// open is the log of an owner; nil if there is no room for another.
func (s *Store) open(now overlay.Time, owner name.Node) *log {
	key := owner.String()
	if l := s.logs[key]; l != nil {
		return l
	}
	if len(s.logs) >= s.cfg.MaxOwners {
		return nil
	}
	return s.add(now, owner)
}

func (s *Store) add(now overlay.Time, owner name.Node) *log {
	key := owner.String()
	l := &log{key: key, head: Head{Owner: owner}, gapSince: overlay.Never, goneAt: now}
	s.logs[key] = l
	b := s.BucketOf(key)
	s.buckets[b] = append(s.buckets[b], l)
	return l
}

// BucketOf is part of antientropy.Store.
func (s *Store) BucketOf(key string) uint8 { return fanOf(key) }

// Sums is part of antientropy.Store: of what is visible, so that nobody asks anybody for
// what the dead have left.
func (s *Store) Sums() *antientropy.Sums { return &s.sums }

// Marks is part of antientropy.Store.
func (s *Store) Marks(bucket uint8, into []antientropy.Mark) []antientropy.Mark {
	for _, l := range s.buckets[bucket] {
		if l.counted {
			into = append(into, l.mark())
		}
	}
	return into
}

// Mark is part of antientropy.Store.
func (s *Store) Mark(key string) antientropy.Mark {
	if l := s.logs[key]; l != nil {
		return l.mark()
	}
	return antientropy.Mark{Key: key}
}

// recount brings the sums up to date with a log.
func (s *Store) recount(l *log) {
	if l.counted {
		s.sums.Drop(s.BucketOf(l.key), l.print)
	}
	if l.counted = l.visible(); l.counted {
		l.print = fingerprint(l)
		s.sums.Add(s.BucketOf(l.key), l.print)
	}
}

func fingerprint(l *log) uint64 {
	b := make([]byte, 0, len(l.key)+len(l.head.State)+24)
	b = appendPlace(b, &l.head)
	m := l.mark()
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(b, m.Tag))
	return binary.BigEndian.Uint64(sum[:]) | 1
}
