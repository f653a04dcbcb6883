package transportmemory

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/transport"
)

// wire is one connection with its two ends, the dialer's first. Its lock guards all
// that both ends and their streams have.
type wire struct {
	network *Network
	binding [32]byte
	ends    [2]*end

	mu      sync.Mutex
	streams map[*stream]struct{} // one entry for each end of each stream that is open
	severed bool
	held    []func()    // what happens at the other end once the wire is mended
	silence *time.Timer // runs while severed
}

func newWire(n *Network, from, to *life) *wire {
	w := &wire{network: n, streams: map[*stream]struct{}{}}
	rand.Read(w.binding[:]) // never fails
	w.ends = [2]*end{newEnd(w, from), newEnd(w, to)}
	w.ends[0].peer, w.ends[1].peer = w.ends[1], w.ends[0]
	return w
}

func (w *wire) pair() pair { return pairOf(w.ends[0].life.node.env.Node, w.ends[1].life.node.env.Node) }

// deliver lets something that from sent happen at the other end, now or when the wire
// is mended. Called with the lock held, as is act.
func (w *wire) deliver(from *end, size int, act func()) {
	from.sent += uint64(size)
	arrive := func() {
		from.peer.received += uint64(size)
		from.peer.packets++
		from.packets++ // the acknowledgement
		act()
	}
	if w.severed {
		w.held = append(w.held, arrive)
		return
	}
	arrive()
}

// patience is for how long an end hears nothing before it gives the connection up
// without being told to, far above the time after which a link judges.
func (w *wire) patience() time.Duration {
	idle := max(w.ends[0].life.node.settings.IdleTimeout, w.ends[1].life.node.settings.IdleTimeout)
	return max(5*time.Second, 2*idle)
}

func (w *wire) sever() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.severed || w.over() {
		return
	}
	w.severed = true
	w.silence = time.AfterFunc(w.patience(), w.fallSilent)
}

func (w *wire) mend() {
	w.mu.Lock()
	if w.severed {
		w.severed = false
		w.silence.Stop()
		for _, arrive := range w.held {
			arrive()
		}
		w.held = nil
	}
	w.mu.Unlock()
	w.settle()
}

func (w *wire) fallSilent() {
	w.mu.Lock()
	if w.severed {
		w.held = nil
		for _, e := range w.ends {
			e.shut(transport.ErrSilent)
		}
	}
	w.mu.Unlock()
	w.settle()
}

// discard ends a wire that nobody has seen.
func (w *wire) discard() {
	for _, e := range w.ends {
		e.cancel(context.Canceled)
	}
}

func (w *wire) over() bool { return w.ends[0].closed && w.ends[1].closed }

// settle lets the network forget a wire that is closed at both ends.
func (w *wire) settle() {
	w.mu.Lock()
	over := w.over()
	if over && w.silence != nil {
		w.silence.Stop()
	}
	w.mu.Unlock()
	if over {
		w.network.forget(w)
	}
}
