package core_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// Who has not decided when the time is up has not voted, whatever its function returns then: the
// answer and the end of the time race each other.
func TestAVoteAfterTheTimeIsNone(t *testing.T) {
	t.Parallel()
	const proposals = 16 // as many as a voter decides at a time
	a, b := newField(t).pair()
	_, err := core.Voter(b, "topic", func(ctx context.Context, _ name.Node, _ int) bool {
		<-ctx.Done()
		return false
	})
	if err != nil {
		t.Fatal(err)
	}
	var asking sync.WaitGroup
	for i := range proposals {
		asking.Go(func() {
			for range 10 {
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond+time.Duration(i)*time.Millisecond)
				got, err := core.Propose(ctx, a, "topic", []name.Node{b.Name()}, 1)
				cancel()
				if !errors.Is(err, context.DeadlineExceeded) || len(got.Rejected) > 0 {
					t.Errorf("rejected by %v: %v", got.Rejected, err)
				}
			}
		})
	}
	asking.Wait()
}
