package process

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// headerTime is for how long the header of a stream is waited for.
const headerTime = 10 * time.Second

// Receive reads a message stream from a peer until it ends. It is the handler of
// streams of kind Messages.
func (p *Processes) Receive(ctx context.Context, node name.Node, incarnation uint64, stream Stream) {
	defer context.AfterFunc(ctx, func() { stream.Reset(transport.CloseStopping) })()
	g := p.guest(node, incarnation, stream)
	defer p.farewell(g, stream)
	err := p.receiveAll(ctx, g, stream)
	switch {
	case errors.Is(err, io.EOF):
		_ = stream.CloseWrite() // tells the sender that all has been read
		return
	case errors.Is(err, ErrMalformed):
		p.dead.malformed.Add(1)
		p.cfg.Log.Warn("message stream refused", "node", node, "error", err)
	default:
		p.cfg.Log.Debug("message stream broke", "node", node, "error", err)
	}
	stream.Reset(transport.CloseProtocol)
}

// receiveAll returns io.EOF when the stream ended in good order.
func (p *Processes) receiveAll(ctx context.Context, g *guest, stream Stream) error {
	if g == nil {
		return errors.New("of an earlier life of the node, or this one is stopping")
	}
	if err := stream.SetReadDeadline(time.Now().Add(headerTime)); err != nil {
		return err
	}
	shard, generation, after, err := readStreamHeader(stream)
	if err != nil {
		return err
	}
	if err := stream.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	err = p.receiveInTurn(ctx, g, shard, generation, after, stream)
	if shard == replyShard && !errors.Is(err, io.EOF) && !p.isDown(g) {
		p.calls.failNode(g.node, "its answers broke off")
	}
	return err
}

func (p *Processes) receiveInTurn(ctx context.Context, g *guest, shard uint8, generation, after uint64, stream Stream) error {
	in := &g.inlets[shard]
	t := p.queueUp(in, generation, after)
	if t == nil {
		return fmt.Errorf("generation %d of stream %d comes too late", generation, shard)
	}
	defer p.leave(in, t)
	if !p.await(ctx, in, t, stream.Ended()) {
		return errors.New("ended before its turn")
	}
	return p.readAll(ctx, g, shard, stream)
}

// readAll handles frames until the stream ends.
func (p *Processes) readAll(ctx context.Context, g *guest, shard uint8, stream Stream) error {
	r := bufio.NewReaderSize(stream, flushSize)
	for {
		body, err := readFrame(r)
		if err != nil {
			return err
		}
		f, err := decode(body, p.cfg.Node)
		if err != nil {
			return err
		}
		if p.sealed.Load() {
			return ErrStopped // there would be no answer
		}
		stream.Touch()
		if (f.kind == frameReply || f.kind == frameCancel) != (shard == replyShard) {
			return fmt.Errorf("message frame: type %d on stream %d: %w", f.kind, shard, ErrMalformed)
		}
		if err := p.receive(ctx, g, f); err != nil {
			return err
		}
	}
}

// receive handles one frame; an error is one of the stream.
func (p *Processes) receive(ctx context.Context, g *guest, f frame) error {
	switch f.kind {
	case frameSend:
		p.onSend(ctx, g, f)
	case frameCall:
		return p.onCall(ctx, g, f)
	case frameReply:
		p.onReply(g, f)
	case frameCancel:
		p.onCancel(g, f.call)
	}
	return nil
}

func (p *Processes) onSend(ctx context.Context, g *guest, f frame) {
	err := p.refusesGuests()
	var proc *Process
	if err == nil {
		proc, err = p.find(f.target)
	}
	if err == nil {
		err = proc.putPatiently(ctx, envelope{Message: f.message(g)})
	}
	if err != nil {
		p.deadLetter(err, "from", g.node, "to", f.target)
	}
}

func (f *frame) message(g *guest) Message {
	sender := name.Ref{Node: g.node, Incarnation: g.incarnation, ID: f.sender}
	return Message{From: sender, Payload: f.payload, Call: f.kind == frameCall && f.flags&flagReceipt == 0}
}

func (p *Processes) onCall(ctx context.Context, g *guest, f frame) error {
	call, err := p.serve(g, f)
	if errors.Is(err, ErrMalformed) {
		return err
	}
	if err != nil {
		p.reply(g, f.call, failed(err))
		return nil
	}
	finish := func(a answer) {
		if p.served(g, f.call) {
			p.reply(g, f.call, a)
		}
	}
	if err := p.putCall(ctx, call, f, envelope{Message: f.message(g), ctx: call, finish: finish}); err != nil {
		finish(failed(err))
	} else if f.flags&flagReceipt != 0 {
		finish(answer{})
	}
	return nil
}

// putCall puts a call into its mailbox, or a message with a receipt, which is none of
// the receiver's business.
func (p *Processes) putCall(ctx, call context.Context, f frame, e envelope) error {
	if err := p.refusesGuests(); err != nil {
		return err
	}
	proc, err := p.find(f.target)
	if err != nil {
		return err
	}
	if f.flags&flagReceipt != 0 {
		e.ctx, e.finish = nil, nil
	}
	if call.Err() != nil {
		return fmt.Errorf("%s: the call has ended: %w: %w", f.target, call.Err(), ErrTimeout)
	}
	if proc.offer(e) {
		return nil
	}
	both, cancel := context.WithCancel(call)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	err = proc.putPatiently(both, e)
	if err != nil && errors.Is(call.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", err, ErrTimeout)
	}
	return err
}

func (p *Processes) onReply(g *guest, f frame) {
	a := answer{payload: f.payload, status: f.status}
	if f.status != statusOK {
		a.payload, a.text = nil, string(f.payload[:min(len(f.payload), maxErrorText)])
	}
	payload, err := a.read(g.node)
	p.calls.finish(f.call, g.node, result{payload: payload, err: err})
}

// reply answers a call of another node. It never waits, least of all for a caller that
// reads too slowly: that one gets an error in place of the answer.
func (p *Processes) reply(g *guest, id uint64, a answer) {
	f := &frame{kind: frameReply, call: id, status: a.status, payload: a.payload}
	if a.status != statusOK {
		f.payload = []byte(a.text)
	}
	room, err := p.hand(g.node, replyShard, outItem{data: f.encode()}, outletBytes)
	if room != nil {
		text := fmt.Sprintf("answer of %d bytes: too many are not read yet", len(a.payload))
		f.status, f.payload = statusBusy, []byte(text)
		room, err = p.hand(g.node, replyShard, outItem{data: f.encode()}, 2*outletBytes)
	}
	if room != nil {
		err = fmt.Errorf("answer: %w", ErrBusy)
	}
	if err != nil {
		p.unanswered(g)
		p.deadLetter(err, "to", g.node)
	}
}
