package plumtree

// Stats counts what happened since the machine was made, and what there is now.
type Stats struct {
	Broadcasts, Delivered, Duplicates                 uint64 // begun here; new; seen before
	GossipsOut, IHavesOut, GraftsOut, PrunesOut       uint64 // messages sent
	GonesOut, IHavesIn, GraftsIn, PrunesIn, GonesIn   uint64
	Optimised                                         uint64 // edges replaced by shorter ones
	Demoted                                           uint64 // links that became lazy because they were slow
	Turned                                            uint64 // payloads that became announcements for that
	Shed                                              uint64 // announcements given up at a bound
	Missed                                            uint64 // messages announced here that nobody could send
	Oversize                                          uint64 // messages refused for their size
	Evicted, Expired                                  uint64 // payloads that left the cache for room, for time
	Eager, Lazy, Slow, Cached, Bytes, Missing, Queued int    // now
	Origins                                           int
}

func (s *Stats) sent(msg *Message) {
	switch msg.Kind {
	case Gossip:
		s.GossipsOut++
	case IHave:
		s.IHavesOut++
	case Graft:
		s.GraftsOut++
	case Prune:
		s.PrunesOut++
	case Gone:
		s.GonesOut++
	}
}

// Stats returns the counts.
func (m *Machine) Stats() Stats {
	s := m.stats
	for _, l := range m.links {
		if l.eager {
			s.Eager++
		} else {
			s.Lazy++
		}
		if l.slow {
			s.Slow++
		}
		s.Queued += len(l.queue)
	}
	s.Cached, s.Bytes, s.Missing, s.Origins = len(m.cache.entries), m.cache.bytes, len(m.missing.byID), len(m.seen.sources)
	return s
}
