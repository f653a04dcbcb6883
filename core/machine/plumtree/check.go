package plumtree

import (
	"fmt"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// Check looks for contradictions in the machine's state between steps. It is for tests
// and simulations.
func (m *Machine) Check() error {
	if err := m.checkLinks(); err != nil {
		return err
	}
	if err := m.checkMissing(); err != nil {
		return err
	}
	if err := m.checkCache(); err != nil {
		return err
	}
	if len(m.seen.sources) > m.cfg.MaxOrigins || len(m.seen.index) != len(m.seen.sources) {
		return fmt.Errorf("%d origins, %d in the index", len(m.seen.sources), len(m.seen.index))
	}
	if at := min(m.flushAt, m.missing.next(), m.cache.sweepAt); at < m.armed {
		return fmt.Errorf("something to do at %v, and the timer is at %v", at, m.armed)
	}
	return nil
}

func (m *Machine) checkLinks() error {
	waiting := false
	for i, l := range m.links {
		switch {
		case l.peer == overlay.Nobody:
			return fmt.Errorf("a link to nobody")
		case m.find(l.peer) != m.links[i]:
			return fmt.Errorf("%d: two links", l.peer)
		case l.slow && l.eager:
			return fmt.Errorf("%d: slow and eager", l.peer)
		case len(l.queue) > m.cfg.MaxQueue:
			return fmt.Errorf("%d: %d announcements wait", l.peer, len(l.queue))
		case l.opened < 0 || l.opened > m.cfg.MaxMissing:
			return fmt.Errorf("%d: %d messages are missing by its word", l.peer, l.opened)
		}
		waiting = waiting || !l.held && len(l.queue) > 0
	}
	if waiting && m.flushAt == overlay.Never {
		return fmt.Errorf("announcements wait for ever")
	}
	return nil
}

func (m *Machine) checkMissing() error {
	if len(m.missing.byID) != len(m.missing.queue) {
		return fmt.Errorf("%d messages are missing, %d have a time", len(m.missing.byID), len(m.missing.queue))
	}
	for i, w := range m.missing.queue {
		switch {
		case w.index != i || m.missing.byID[w.id] != w:
			return fmt.Errorf("%+v: lost its place", w.id)
		case m.seen.has(w.id):
			return fmt.Errorf("%+v: missing and seen", w.id)
		case len(w.announcers) > m.cfg.MaxAnnouncer:
			return fmt.Errorf("%+v: %d announcers", w.id, len(w.announcers))
		}
	}
	return nil
}

func (m *Machine) checkCache() error {
	c := &m.cache
	bytes := 0
	for i := range c.entries {
		bytes += len(c.entries[i].data) + overhead
	}
	switch {
	case bytes != c.bytes || bytes > c.maxBytes || len(c.entries) > c.maxCount:
		return fmt.Errorf("%d messages of %d bytes cached, counted %d", len(c.entries), bytes, c.bytes)
	case len(c.byID) > len(c.entries):
		return fmt.Errorf("%d names for %d cached messages", len(c.byID), len(c.entries))
	case len(c.entries) > 0 && c.sweepAt == overlay.Never:
		return fmt.Errorf("cached for ever")
	}
	return nil
}
