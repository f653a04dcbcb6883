package broadcast

import (
	"context"
	"fmt"
)

// Flush returns when every neighbour has read what was sent to it before, or ctx ends.
// A neighbour that is none any more is not waited for.
func (b *Broadcast) Flush(ctx context.Context) error {
	for _, a := range b.ask() {
		select {
		case <-a.done:
		case <-a.quit:
		case <-ctx.Done():
			return fmt.Errorf("broadcast: not read by every neighbour: %w", ctx.Err())
		}
	}
	return nil
}

// answer is one sync under way: done is closed by the answer.
type answer struct{ done, quit <-chan struct{} }

// ask sends a sync to every neighbour.
func (b *Broadcast) ask() (answers []answer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.near {
		n.asked++
		if !n.out.add(syncFrame(syncAsk, n.asked), outboxFrames+spareFrames) {
			continue // it reads nothing now; it will ask for what it lacks
		}
		done := make(chan struct{})
		n.syncs[n.asked] = done
		answers = append(answers, answer{done, n.quit})
	}
	return answers
}

// synced answers a sync, or notes the answer to one.
func (b *Broadcast) synced(n *neighbour, kind byte, id uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if kind == syncAsk {
		n.out.add(syncFrame(syncReply, id), outboxFrames+spareFrames) // the asker has a deadline
		return
	}
	if done := n.syncs[id]; done != nil {
		close(done)
		delete(n.syncs, id)
	}
}

// failSyncs lets those go who wait for answers that will not come. Callers hold b.mu.
func (n *neighbour) failSyncs() {
	for id, done := range n.syncs {
		close(done)
		delete(n.syncs, id)
	}
}
