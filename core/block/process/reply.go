package process

import (
	"fmt"
	"slices"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// reply takes the answer of a call of this node.
func (in *intake) reply(f *frame) error {
	node, id := in.guest.node, f.call
	var e entry
	e.read(f, in.procs.types)
	if !f.large {
		in.procs.answered(node, id, e.payload(), nil)
		return nil
	}
	size := int(f.size)
	return in.guest.expectLarge(f.token, size, func(data []byte, err error) {
		if err != nil {
			in.procs.answered(node, id, nil, fmt.Errorf("answer of %s: %w: %w", node, err, ErrNoConnection))
			return
		}
		if err := in.procs.tooLarge(size); err != nil {
			in.procs.answered(node, id, nil, fmt.Errorf("answer of %s: %w", node, err))
			return
		}
		e.setData(data)
		in.procs.answered(node, id, e.payload(), nil)
	})
}

// payload is what the caller gets: decoded if that can be done without knowing more.
func (e *entry) payload() any {
	switch e.codec {
	case Raw:
		return e.raw
	case Text:
		return string(e.raw)
	}
	return e.value
}

func (p *Processes) answered(node name.Node, id uint64, value any, err error) {
	if r := p.remotes.get(node); r != nil {
		r.calls.finish(id, value, err)
	}
}

// failCalls fails the calls that wait for a node.
func (p *Processes) failCalls(node name.Node, reason string) {
	if r := p.remotes.get(node); r != nil {
		err := fmt.Errorf("%s: link ended while the answer was awaited: %s: %w", node, reason, ErrNoConnection)
		r.calls.fail(err, everyCall)
	}
}

// reply answers a call of another node. It never waits, least of all for a caller that
// reads too slowly: that one gets an error in place of the answer.
func (g *guest) reply(id uint64, value any, err error) {
	p := g.procs
	r := p.remote(g.node)
	out := &r.outlets[replyShard]
	payload := packed{}
	if err == nil {
		payload, err = p.packAnswer(value)
	}
	sent := false
	if err == nil {
		sent = r.replyWith(out, id, &payload)
		p.types.unpack(payload)
		if !sent {
			err = fmt.Errorf("answer of %d bytes: too many are not read yet: %w", payload.size(), ErrBusy)
		}
	}
	if !sent {
		sent = out.hand(r.byNode(), 2*replyBytes, func(b []byte) []byte {
			return appendFault(appendNumber(beginFrame(b, frameFault), id), p.types.faultOf(err))
		})
	}
	if !sent {
		g.mu.Lock()
		g.unanswered = true
		g.mu.Unlock()
		p.deadLetter(p.Self(), Target{Node: g.node}, fmt.Errorf("answer: %w", ErrBusy))
	}
}

// byNode is a frame of the node itself.
func (r *remote) byNode() item { return item{sender: nodeID} }

func (p *Processes) packAnswer(value any) (packed, error) {
	payload, err := p.types.pack(value)
	if err == nil && payload.size() > p.cfg.MaxPayload {
		err = fmt.Errorf("answer: %d bytes, at most %d: %w", payload.size(), p.cfg.MaxPayload, ErrTooLarge)
	}
	return payload, err
}

func (r *remote) replyWith(out *outlet, id uint64, payload *packed) bool {
	size := payload.size()
	if size < largeFrom {
		return out.hand(r.byNode(), replyBytes, func(b []byte) []byte {
			return appendPayload(appendNumber(beginFrame(b, frameReply), id), payload, true)
		})
	}
	if r.replying.Add(int64(size)) > maxLargeReplies && r.replying.Load() > int64(size) {
		r.replying.Add(-int64(size))
		return false
	}
	l := &large{
		remote: r, token: r.procs.nextGen.Add(1), data: slices.Concat(payload.data, []byte(payload.text)), sender: nodeID,
		target: Target{Node: r.node}, free: func() { r.replying.Add(-int64(size)) },
	}
	posted := out.hand(item{quiet: true}, replyBytes, func(b []byte) []byte {
		return appendPayload(appendNumber(beginLarge(b, l, frameReply), id), payload, false)
	})
	if !posted {
		l.free()
		return false
	}
	l.posted(nil)
	return true
}

// refuseAll tells the senders of what waited for a process that has ended.
func (p *Processes) refuseAll(left []entry) {
	for i := range left {
		e := &left[i]
		err := fmt.Errorf("it has ended: %w", ErrNoProcess)
		if p.isStopped() {
			err = ErrStopped
		}
		p.refuse(e, err)
	}
}

func (p *Processes) refuse(e *entry, err error) {
	if e.account != nil {
		e.account.consumed(1, int(e.size))
	}
	switch e.sort {
	case aReceipt, aCall:
		e.reply.answer(nil, err)
	case aMessage:
		p.deadLetter(e.message(p).From, Target{Node: p.cfg.Node}, err)
	}
}

// refuseMessage is refuse for what has left the mailbox.
func (p *Processes) refuseMessage(m Message, err error) {
	if m.call != nil {
		m.call.answer(nil, err)
		return
	}
	p.deadLetter(m.From, Target{Node: p.cfg.Node}, err)
}

// refusesGuests is the error for what other nodes send while this one drains.
func (p *Processes) refusesGuests() error {
	if p.draining.Load() {
		return fmt.Errorf("%s: %w", p.cfg.Node, ErrStopped)
	}
	return nil
}
