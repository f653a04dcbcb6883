package ownerlog

import (
	"errors"
	"fmt"
)

// ErrFull: the operation would exceed the bounds of this owner.
var ErrFull = errors.New("owner is full")

// Get is what this node has under a key.
func (s *Store) Get(key string) (val string, found bool) { return s.own.live.get(key) }

// Len is how many entries this node has.
func (s *Store) Len() int { return s.own.live.count }

// Stage applies an operation of this node here, now. Others hear of it with the next
// Seal. The error wraps ErrFull.
func (s *Store) Stage(op Op) error {
	if err := s.fits(op); err != nil {
		return err
	}
	if op.Remove {
		if old, had := s.own.live.remove(op.Key); had {
			s.change(s.own, Change{Kind: Removed, Key: op.Key, Val: old, Reason: op.Val})
		}
	} else if old, had := s.own.live.put(op.Key, op.Val); had {
		s.change(s.own, Change{Kind: Updated, Key: op.Key, Val: op.Val, Old: old})
	} else {
		s.change(s.own, Change{Kind: Added, Key: op.Key, Val: op.Val})
	}
	s.staged = append(s.staged, op)
	s.stagedN += op.size()
	return nil
}

func (s *Store) fits(op Op) error {
	if op.Key == "" || len(op.Key) > MaxKey || len(op.Val) > MaxVal {
		return fmt.Errorf("key of %d bytes with %d bytes: at most %d with %d: %w", len(op.Key), len(op.Val), MaxKey, MaxVal, ErrFull)
	}
	old, had := s.own.live.get(op.Key)
	switch {
	case op.Remove:
	case !had && s.own.live.count >= s.cfg.MaxItems:
		return fmt.Errorf("%d entries, the most of one node: %w", s.own.live.count, ErrFull)
	case s.own.live.bytes+len(op.Key)+len(op.Val)-len(old) > s.cfg.MaxBytes:
		return fmt.Errorf("%d bytes, at most %d for one node: %w", s.own.live.bytes, s.cfg.MaxBytes, ErrFull)
	}
	return nil
}

// Staged reports whether something waits to be sealed, and whether there is no room in
// the batch for another operation of that size.
func (s *Store) Staged(size int) (some, full bool) {
	return len(s.staged) > 0, s.stagedN+size > MaxBatch || len(s.staged) >= maxOps
}

// Seal makes a batch of what was staged, signs it and returns it for all others; nil if
// there is nothing.
func (s *Store) Seal() *Batch {
	if len(s.staged) == 0 {
		return nil
	}
	return s.seal()
}

// Resign makes a batch without operations, which puts a new signature under all that is
// live; nil if there never was anything, not even before First. What is staged is in it.
func (s *Store) Resign() *Batch {
	if s.own.head.Seq == 0 && s.cfg.First == 0 && len(s.staged) == 0 {
		return nil
	}
	return s.seal()
}

func (s *Store) seal() *Batch {
	b := &Batch{Head: s.own.head, Ops: s.staged}
	s.staged, s.stagedN = nil, 0
	b.Head.Seq = max(b.Head.Seq, s.cfg.First) + 1
	b.Head.Ops = digestOps(b.Ops)
	b.Head.State = s.own.live.digest()
	b.Head.Sig = s.cfg.Sign(b.Head.Message())
	s.own.head = b.Head
	s.own.keep(b)
	s.recount(s.own)
	return b
}

// tell reports what a batch changed of what is visible.
func (s *Store) tell(l *log, b *Batch, undone []undo) {
	if !l.visible() {
		return
	}
	for i := range b.Ops {
		op, was := &b.Ops[i], &undone[i]
		switch {
		case op.Remove && was.had:
			s.change(l, Change{Kind: Removed, Key: op.Key, Val: was.val, Reason: op.Val})
		case op.Remove:
		case !was.had:
			s.change(l, Change{Kind: Added, Key: op.Key, Val: op.Val})
		case was.val != op.Val:
			s.change(l, Change{Kind: Updated, Key: op.Key, Val: op.Val, Old: was.val})
		}
	}
}
