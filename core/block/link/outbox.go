package link

import "sync"

// How many control frames may wait on one connection.
const (
	outboxSize = 256
	upkeepRoom = 8 // beyond that, for the frames by which two ends end a connection
)

// outbox is the queue of control frames of one connection. While it is held, frames
// that have to keep their order wait, because frames that went over another connection
// have not been read yet; upkeep passes.
type outbox struct {
	wake chan struct{} // room for one: there may be something to write

	mu      sync.Mutex
	ready   [][]byte
	waiting [][]byte
	held    int
	used    bool // has carried frames whose order matters
	closed  bool // the last frame is in
}

// add queues an encoded frame unless limit frames wait, and never blocks.
func (o *outbox) add(frame []byte, limit int, ordered bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed:
		return ErrNoLink
	case len(o.ready)+len(o.waiting) >= limit:
		return ErrBusy
	case ordered && o.held > 0:
		o.waiting = append(o.waiting, frame)
	default:
		o.ready = append(o.ready, frame)
	}
	o.used = o.used || ordered
	o.signal()
	return nil
}

// last queues the frame after which nothing follows; false if that has been said.
func (o *outbox) last(frame []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return false
	}
	o.closed = true
	o.ready = append(append(o.ready, o.waiting...), frame)
	o.waiting = nil
	o.signal()
	return true
}

// hold makes ordered frames wait; release lets them go. Both nest.
func (o *outbox) hold() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.held++
}

func (o *outbox) release() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.held--; o.held == 0 {
		o.ready, o.waiting = append(o.ready, o.waiting...), nil
		o.signal()
	}
}

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// take returns what can be written now, and whether it ends with the last frame.
func (o *outbox) take() (frames [][]byte, last bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	frames, o.ready = o.ready, nil
	return frames, o.closed
}

func (o *outbox) state() (empty, used, closed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.ready)+len(o.waiting) == 0, o.used, o.closed
}
