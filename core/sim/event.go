package sim

import "github.com/barrelp2p/barrel/core/machine/overlay"

type eventKind uint8

const (
	evCall     eventKind = iota // of the scenario
	evResume                    // the end of a stall
	evInput                     // a command or a record, for that life
	evTimer                     // for that life
	evMsg                       // over a link, or none
	evDial                      // a dial reaches its end
	evNoDial                    // a dial came to nothing
	evLinkUp                    // the dialer learns of the link
	evLinkDown                  // an end learns that the link was closed
	evSilence                   // an end has perhaps heard nothing for too long
	evBeat                      // an end of a lossy link listens
)

// event is something that will happen at a node.
type event[M Message] struct {
	kind   eventKind
	class  overlay.Class
	side   uint8
	to     overlay.Peer
	from   overlay.Peer
	link   uint32 // 0: none
	gen    uint32 // of the link
	reason overlay.Reason
	inc    uint64 // of the node it is for (evTimer, evInput, evNoDial) or comes from (evDial, evMsg)
	timer  overlay.Timer
	msg    M
	input  *overlay.Input[M] // evInput
	call   func()
}

// flies reports whether the event counts as something under way.
func (ev *event[M]) flies() bool {
	switch ev.kind {
	case evCall, evResume, evTimer, evBeat:
		return false
	}
	return true
}

func (w *World[M]) schedule(at overlay.Time, ev *event[M]) {
	var ref uint32
	if n := len(w.unused); n > 0 {
		ref = w.unused[n-1]
		w.unused = w.unused[:n-1]
		w.events[ref] = *ev
	} else {
		ref = uint32(len(w.events))
		w.events = append(w.events, *ev)
	}
	if ev.flies() {
		w.flying++
	}
	w.queue.push(max(at, w.now), ref)
}

// take frees the place of an event and returns it.
func (w *World[M]) take(ref uint32) event[M] {
	ev := w.events[ref]
	w.events[ref].call, w.events[ref].input = nil, nil
	w.unused = append(w.unused, ref)
	return ev
}

func (w *World[M]) happen(ref uint32) {
	ev := w.take(ref)
	w.trace(&ev)
	switch ev.kind {
	case evCall:
		ev.call()
	case evResume:
		w.resume(ev.to, ev.inc)
	case evMsg:
		w.arrive(&ev)
	case evTimer:
		w.in = overlay.Input[M]{Kind: overlay.InTimer, Timer: ev.timer}
		w.stepLife(&ev)
	case evInput:
		w.in = *ev.input
		w.stepLife(&ev)
	case evNoDial:
		w.in = overlay.Input[M]{Kind: overlay.InDialFailed, Peer: ev.from, Reason: ev.reason}
		w.stepLife(&ev)
	case evDial:
		w.dialed(&ev)
	default:
		w.linkEvent(&ev)
	}
}

func (w *World[M]) arrive(ev *event[M]) {
	if ev.link != 0 && !w.current(ev) {
		return
	}
	w.in = overlay.Input[M]{Kind: overlay.InMsg, Peer: ev.from, Inc: ev.inc, Msg: ev.msg}
	w.step(ev.to)
}

// stepLife steps the node if it still lives the life the event is for.
func (w *World[M]) stepLife(ev *event[M]) {
	if w.hosts[ev.to].inc == ev.inc {
		w.step(ev.to)
	}
}

// step hands w.in to a node and does what it asks for.
func (w *World[M]) step(p overlay.Peer) {
	h := &w.hosts[p]
	if !h.up {
		return
	}
	w.steps++
	w.out.Reset()
	h.node.Step(w.now+h.skew, &w.in, &w.out)
	if w.cfg.Check {
		w.fail(p, h.node.Check())
	}
	w.apply(p, h)
}
