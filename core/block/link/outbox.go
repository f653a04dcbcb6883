package link

import "sync"

// How many control frames may wait on one connection.
const (
	outboxSize = 256
	upkeepRoom = 8 // beyond that, for the frames by which two ends end a connection
)

// outbox is the queue of control frames of one connection. It has them written by a
// goroutine that lasts as long as there is something to write. While it is held, frames
// that have to keep their order wait, because frames that went over another connection
// have not been read yet; upkeep passes.
type outbox struct {
	write func() bool // starts the writer; false if the node is stopping

	mu      sync.Mutex
	writing bool // there is a writer
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
	o.start()
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
	o.start()
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
		o.start()
	}
}

// start sees that there is a writer if there is something to write. Callers hold o.mu.
func (o *outbox) start() {
	if !o.writing && len(o.ready) > 0 {
		o.writing = o.write()
	}
}

// take returns what can be written now, and whether it ends with the last frame. After
// neither the writer ends.
func (o *outbox) take() (frames [][]byte, last bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	frames, o.ready = o.ready, nil
	o.writing = o.closed || len(frames) > 0
	return frames, o.closed
}

func (o *outbox) state() (empty, used, closed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.ready)+len(o.waiting) == 0, o.used, o.closed
}
