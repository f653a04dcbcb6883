package ownerlog

import (
	"fmt"

	"github.com/barrelp2p/barrel/core/machine/antientropy"
)

func (s *Store) check() error {
	var sums antientropy.Sums
	logs := 0
	for b := range s.buckets {
		for _, l := range s.buckets[b] {
			logs++
			if err := s.checkLog(l); err != nil {
				return fmt.Errorf("log of %s: %w", l.key, err)
			}
			if l.visible() {
				sums.Add(uint8(b), l.print)
			}
		}
	}
	if sums != s.sums || logs != len(s.logs) || logs > s.cfg.MaxOwners {
		return fmt.Errorf("%d logs of %d, root %x, want %x", logs, len(s.logs), s.sums.Root(), sums.Root())
	}
	return nil
}

func (s *Store) checkLog(l *log) error {
	count, bytes := 0, 0
	all := l.live.all()
	for _, item := range all {
		count++
		bytes += len(item.Key) + len(item.Val)
	}
	staged := l == s.own && len(s.staged) > 0
	switch {
	case count != l.live.count || bytes != l.live.bytes || !sortedKeys(all):
		return fmt.Errorf("%d entries of %d bytes, counted as %d of %d", count, bytes, l.live.count, l.live.bytes)
	case count > s.cfg.MaxItems || bytes > s.cfg.MaxBytes:
		return fmt.Errorf("%d entries of %d bytes are too many", count, bytes)
	case l.head.Seq > 0 && !l.freed && !staged && l.live.digest() != l.head.State:
		return fmt.Errorf("entries do not have the digest that was signed at %d", l.head.Seq)
	case len(l.held) > heldMost || l.heldBytes > heldBytes || len(l.kept) > keptMost:
		return fmt.Errorf("%d batches held, %d kept", len(l.held), len(l.kept))
	case l.counted != l.visible() || l.counted && l.print != fingerprint(l):
		return fmt.Errorf("in the sums: %t, visible: %t", l.counted, l.visible())
	case len(l.kept) > 0 && l.kept[len(l.kept)-1].Head.Seq != l.head.Seq:
		return fmt.Errorf("batches kept up to %d of %d", l.kept[len(l.kept)-1].Head.Seq, l.head.Seq)
	}
	return nil
}
