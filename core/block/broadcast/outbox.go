package broadcast

import "sync"

// Bounds of what may wait for one neighbour.
const (
	outboxFrames = 1024
	outboxBytes  = 4 << 20
	spareFrames  = 64 // beyond that, for what is no payload
)

// outbox is what waits for one neighbour to read.
type outbox struct {
	wake chan struct{} // holds a token while there may be something to take

	mu      sync.Mutex
	frames  [][]byte
	bytes   int
	refused bool // something found no room since the box was almost empty
}

// add queues a frame unless there are room already, or too many bytes, and never blocks.
func (o *outbox) add(frame []byte, room int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.frames) >= room || o.bytes+len(frame) > outboxBytes && len(o.frames) > 0 {
		o.refused = true
		return false
	}
	o.frames = append(o.frames, frame)
	o.bytes += len(frame)
	select {
	case o.wake <- struct{}{}:
	default:
	}
	return true
}

// take returns up to batch bytes of frames, at least one frame if there is any; eased
// says, once, that there is room again for what found none.
func (o *outbox) take(batch int) (frames [][]byte, eased bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, size := 0, 0
	for n < len(o.frames) && (n == 0 || size+len(o.frames[n]) <= batch) {
		size += len(o.frames[n])
		n++
	}
	frames, o.frames = o.frames[:n:n], o.frames[n:]
	o.bytes -= size
	if len(o.frames) == 0 {
		o.frames = nil
	}
	if o.refused && len(o.frames) <= outboxFrames/4 && o.bytes <= outboxBytes/4 {
		o.refused, eased = false, true
	}
	return frames, eased
}

// clear forgets everything: the stream it was for is gone.
func (o *outbox) clear() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.frames, o.bytes, o.refused = nil, 0, false
}
