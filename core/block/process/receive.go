package process

import (
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
		p.deadLetter(name.Ref{Node: node, Incarnation: incarnation, ID: nodeID}, Target{Node: p.cfg.Node}, err)
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
	if shard == largeShard {
		return p.readLarge(ctx, g, generation, stream)
	}
	err = p.receiveInTurn(ctx, g, shard, generation, after, stream)
	if shard == replyShard && !errors.Is(err, io.EOF) && !g.isDown() {
		p.failCalls(g.node, "its answers broke off")
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
	reading := &intake{procs: p, guest: g, shard: shard, generation: generation, accounts: map[uint64]*inbound{}}
	reading.readout = readout{guest: g, shard: shard, generation: generation}
	defer reading.readout.stop()
	defer reading.flush()
	return reading.readAll(stream)
}

// intake reads the frames of one stream. It never waits for a receiver.
type intake struct {
	procs      *Processes
	guest      *guest
	shard      uint8
	generation uint64
	accounts   map[uint64]*inbound
	latest     *inbound   // that was used
	behind     []*inbound // with large payloads that were on their way
	frame      frame
	letter     letter
	runs       [maxRuns]run
	running    int // of those
	readout    readout
}

func (in *intake) readAll(stream Stream) error {
	r := newCutter(stream)
	for {
		body, err := r.next()
		if err != nil {
			return err
		}
		if body != nil {
			err = in.read(body)
		} else {
			in.flush()
			in.readout.publish()
			stream.Touch()
			err = r.fill()
		}
		if err != nil {
			return err
		}
	}
}

func (in *intake) read(body []byte) error {
	f := &in.frame
	if err := f.decode(body, in.procs.cfg.Node); err != nil {
		return err
	}
	if in.procs.sealed.Load() {
		return ErrStopped // there would be no answer
	}
	if f.forAnswers() != (in.shard == replyShard) {
		return fmt.Errorf("message frame: type %d on stream %d: %w", f.kind, in.shard, ErrMalformed)
	}
	return in.take(f)
}

func (f *frame) forAnswers() bool {
	switch f.kind {
	case frameReply, frameFault, frameCancel, frameCredit, frameRead:
		return true
	}
	return false
}

// take handles one frame; an error is one of the stream.
func (in *intake) take(f *frame) error {
	if f.kind == frameSend {
		return in.message(f)
	}
	in.flush()
	switch f.kind {
	case frameOpen:
		return in.open(f)
	case frameCall:
		return in.message(f)
	case frameReply:
		return in.reply(f)
	case frameFault:
		in.procs.answered(in.guest.node, f.call, nil, in.procs.types.read(f.fault, in.guest.node))
	case frameCancel:
		in.guest.onCancel(f.call)
	case frameCredit, frameRead:
		return in.returned(f)
	case frameSignal:
		return in.signal(f)
	}
	return nil
}

// returned takes what a receiver says of the streams of this node.
func (in *intake) returned(f *frame) error {
	if f.shard >= shards {
		return fmt.Errorf("message frame: type %d for stream %d: %w", f.kind, f.shard, ErrMalformed)
	}
	r := in.procs.remotes.get(in.guest.node)
	switch {
	case r == nil:
	case f.kind == frameCredit:
		r.outlets[f.shard].credited(f.generation, f.account, f.messages, f.bytes)
	default:
		r.outlets[f.shard].acknowledged(f.generation, f.messages)
	}
	return nil
}

func (in *intake) open(f *frame) error {
	if in.accounts[f.account] != nil || len(in.accounts) >= 2*maxAccounts {
		return fmt.Errorf("account %d: it is open, or there are too many: %w", f.account, ErrMalformed)
	}
	in.accounts[f.account] = newInbound(in.guest, in.shard, in.generation, f)
	return nil
}

// message takes a message or a call, in its turn.
func (in *intake) message(f *frame) error {
	a, err := in.account(f.account)
	if err != nil {
		return err
	}
	size := len(f.data)
	if f.large {
		size = int(f.size)
	}
	if err := a.admit(size); err != nil {
		return err
	}
	if f.kind == frameSend && !f.large {
		in.readout.count++
		if a.late == nil {
			in.line(a, f)
			return nil
		}
	}
	in.flush()
	l := &in.letter
	l.reset(a, f)
	if f.kind == frameCall {
		call, err := in.guest.serve(f)
		if errors.Is(err, ErrMalformed) {
			return err
		}
		l.call, l.refused, l.number = call, err, f.call
	}
	if l.refused == nil {
		l.refused = in.procs.tooLarge(size)
	}
	l.held = l.refused == nil && in.guest.hold(size)
	l.fill(f, size)
	switch {
	case f.large:
		if !a.behind {
			a.behind = true
			in.behind = append(in.behind, a)
		}
		return a.postpone(f, l.copy().arrived)
	case a.late != nil:
		a.inOrder(f.sender, l.copy().now)
	default:
		l.deliver(nil)
	}
	return nil
}

func (in *intake) account(number uint64) (*inbound, error) {
	if in.latest != nil && in.latest.number == number {
		return in.latest, nil
	}
	a := in.accounts[number]
	if a == nil {
		return nil, fmt.Errorf("message frame: account %d is not open: %w", number, ErrMalformed)
	}
	in.latest = a
	return a, nil
}

// letter is a message from elsewhere on its last steps.
type letter struct {
	entry   entry
	in      *inbound
	call    *servedCall // nil: it is none
	number  uint64      // of the call, refused or not
	refused error       // the call has been
	receipt bool
	held    bool // there was room for its bytes
}

// reset begins with another message.
func (l *letter) reset(in *inbound, f *frame) {
	l.in, l.call, l.number, l.refused, l.receipt = in, nil, 0, nil, f.flags&flagReceipt != 0
	e := &l.entry
	e.value, e.raw, e.reply, e.codec, e.sort = nil, nil, nil, Nothing, aMessage
}

func (l *letter) copy() *letter {
	own := *l
	return &own
}

func (l *letter) now() { l.deliver(nil) }

func (l *letter) arrived(data []byte, err error) {
	l.entry.setData(data)
	l.deliver(err)
}

// fill copies a message out of the frame.
func (l *letter) fill(f *frame, size int) {
	g := l.in.guest
	e := &l.entry
	e.size, e.account, e.sender = uint32(size), l.in, f.sender
	e.read(f, g.procs.types)
	if l.call != nil {
		e.reply, e.sort = l.call, aCall
		if l.receipt {
			e.sort = aReceipt
		}
	}
}

// read copies the payload of a frame.
func (e *entry) read(f *frame, types *Types) {
	switch f.codec {
	case Raw, Text:
		e.codec = f.codec
	case CBOR, Protobuf:
		e.value = &Encoded{Codec: f.codec, Type: types.intern(f.typeName)}
	}
	if len(f.data) > 0 {
		data := make([]byte, len(f.data)) // bytes.Clone takes half as long again
		copy(data, f.data)
		e.setData(data)
	}
}

func (e *entry) setData(data []byte) {
	if encoded, ok := e.value.(*Encoded); ok {
		encoded.Data = data
		return
	}
	e.raw = data
}

// deliver puts the message into the mailbox, or tells whoever is to be told.
func (l *letter) deliver(lost error) {
	g := l.in.guest
	if lost != nil { // its sender tells
		if l.call != nil {
			g.served(l.number)
		}
		l.settle()
		return
	}
	err := l.put()
	if err == nil {
		return
	}
	l.settle()
	switch {
	case l.call != nil:
		l.call.answer(nil, err)
	case l.number != 0:
		g.reply(l.number, nil, err)
	default:
		g.procs.deadLetter(l.entry.message(g.procs).From, l.in.target, err)
	}
}

// settle gives the credit back for what did not get into a mailbox.
func (l *letter) settle() {
	if !l.held {
		l.in.guest.letGo(-int(l.entry.size)) // it has never been counted
	}
	l.in.consumed(1, int(l.entry.size))
}

func (l *letter) put() error {
	p := l.in.guest.procs
	switch {
	case l.refused != nil:
		return l.refused
	case !l.held:
		return fmt.Errorf("%d bytes of this node wait, the most there may be: %w", maxHeld, ErrBusy)
	}
	if err := p.refusesGuests(); err != nil {
		return err
	}
	proc, err := l.in.find(p)
	if err != nil {
		return err
	}
	if l.call != nil {
		if err := l.call.Err(); err != nil {
			return fmt.Errorf("%s: the call has ended: %w: %w", l.in.target, err, ErrTimeout)
		}
	}
	heard, err := proc.box.add(&l.entry)
	if err != nil {
		return fmt.Errorf("%s: %w", l.in.target, err)
	}
	if heard && l.entry.sort == aReceipt {
		l.call.answer(nil, nil)
	}
	return nil
}
