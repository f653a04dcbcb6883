//go:build linux

package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// flow sends numbered messages from one station to another until it is stopped.
type flow struct {
	from, to *station
	target   string

	mu        sync.Mutex
	sent, got []int // that were taken, and that came

	stop  context.CancelFunc
	ended chan struct{}
}

// flowPace is the time between two messages.
const flowPace = 10 * time.Millisecond

// flow begins to send.
func (l *lab) flow(from, to *station) *flow {
	l.t.Helper()
	ctx, stop := context.WithCancel(l.t.Context())
	service := name.MustService("from-" + from.node.Base())
	f := &flow{from: from, to: to, target: service.String() + "@" + to.node.String(), stop: stop, ended: make(chan struct{})}
	ready, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		_ = admin.NewClient(to.socket()).Register(l.t.Context(), service, nil, func(admin.Instance) { close(ready) }, f.take) // ends with the test
	}()
	l.t.Cleanup(func() { <-over })
	select {
	case <-ready:
	case <-over:
		l.t.Fatalf("%s registered nothing", to.node)
	}
	go f.run(ctx)
	l.t.Cleanup(func() { stop(); <-f.ended })
	return f
}

func (f *flow) run(ctx context.Context) {
	defer close(f.ended)
	tick := time.NewTicker(flowPace)
	defer tick.Stop()
	for i := 0; ; i++ {
		f.send(ctx, i)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// send sends a message, also when the flow has just been stopped: whether a message that
// was given up was taken is not known.
func (f *flow) send(ctx context.Context, i int) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if admin.NewClient(f.from.socket()).Send(ctx, f.target, []byte(strconv.Itoa(i))) == nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.sent = append(f.sent, i)
	}
}

func (f *flow) take(_ context.Context, d admin.Delivery) ([]byte, error) {
	i, err := strconv.Atoi(string(d.Payload))
	f.mu.Lock()
	defer f.mu.Unlock()
	f.got = append(f.got, i)
	return nil, err
}

func (f *flow) String() string { return f.from.node.Base() + " to " + f.to.node.Base() }

// came: so many messages more have come.
func (f *flow) came(more int) fact {
	f.mu.Lock()
	defer f.mu.Unlock()
	want := len(f.got) + more
	return func() string {
		f.mu.Lock()
		defer f.mu.Unlock()
		if len(f.got) >= want {
			return ""
		}
		return fmt.Sprintf("%s: %d messages came, not yet %d", f, len(f.got), want)
	}
}

// last: the last message that was sent has come. The flow has been stopped.
func (f *flow) last() string {
	<-f.ended
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.sent) == 0 || slices.Contains(f.got, f.sent[len(f.sent)-1]) {
		return ""
	}
	return fmt.Sprintf("%s: the last of %d messages has not come", f, len(f.sent))
}

// lost is how many messages were taken and have not come. What came is in order, and
// nothing came twice.
func (f *flow) lost(l *lab) int {
	l.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := 1; i < len(f.got); i++ {
		if f.got[i] <= f.got[i-1] {
			l.t.Errorf("%s: message %d came after %d", f, f.got[i], f.got[i-1])
		}
	}
	missing := 0
	for _, i := range f.sent {
		if _, came := slices.BinarySearch(f.got, i); !came {
			missing++
		}
	}
	return missing
}
