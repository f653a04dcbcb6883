package process

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

type inletKey struct {
	node        name.Node
	incarnation uint64
	shard       uint8
}

// inlet is the stream of one shard from one node that is read now, or waits.
type inlet struct {
	generation uint64
	done       chan struct{}
}

type servingKey struct {
	node        name.Node
	incarnation uint64
	call        uint64
}

// Receive reads a message stream from a peer until it ends. It is the handler of
// streams of kind Messages.
func (p *Processes) Receive(ctx context.Context, node name.Node, incarnation uint64, stream Stream) {
	defer context.AfterFunc(ctx, func() { stream.Reset(transport.CloseStopping) })()
	r := bufio.NewReaderSize(stream, flushSize)
	var head [streamHeader]byte
	if _, err := io.ReadFull(r, head[:]); err != nil || head[0] > replyShard {
		stream.Reset(transport.CloseProtocol)
		return
	}
	key := inletKey{node, incarnation, head[0]}
	leave, ok := p.queueUp(ctx, key, binary.BigEndian.Uint64(head[1:]))
	if !ok {
		stream.Reset(transport.CloseProtocol)
		return
	}
	defer leave()
	if err := p.readAll(ctx, key, stream, r); err != nil {
		p.dead.malformed.Add(1)
		p.cfg.Log.Warn("message stream refused", "node", node, "error", err)
		stream.Reset(transport.CloseProtocol)
		return
	}
	_ = stream.CloseWrite() // nothing is ever written this way
}

// queueUp waits until the earlier stream of the shard has been read to its end. A
// stream that comes too late is refused: reading it would break the order.
func (p *Processes) queueUp(ctx context.Context, key inletKey, generation uint64) (leave func(), ok bool) {
	p.mu.Lock()
	earlier := p.inlets[key]
	if earlier != nil && earlier.generation >= generation {
		p.mu.Unlock()
		return nil, false
	}
	mine := &inlet{generation: generation, done: make(chan struct{})}
	p.inlets[key] = mine
	p.mu.Unlock()
	leave = func() { p.leave(key, mine) }
	if earlier == nil {
		return leave, true
	}
	select {
	case <-earlier.done:
		return leave, true
	case <-ctx.Done():
		leave()
		return nil, false
	}
}

func (p *Processes) leave(key inletKey, mine *inlet) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(mine.done)
	if p.inlets[key] == mine {
		delete(p.inlets, key)
	}
}

// readAll handles frames until the stream ends; only bytes that make no sense are an
// error.
func (p *Processes) readAll(ctx context.Context, from inletKey, stream Stream, r io.Reader) error {
	for {
		body, err := readFrame(r)
		if errors.Is(err, ErrMalformed) {
			return err
		}
		if err != nil {
			return nil // the stream or its connection ended
		}
		f, err := decode(body, p.cfg.Node)
		if err != nil {
			return err
		}
		stream.Touch()
		if (f.kind == frameReply || f.kind == frameCancel) != (from.shard == replyShard) {
			return fmt.Errorf("message frame: type %d on stream %d: %w", f.kind, from.shard, ErrMalformed)
		}
		p.receive(ctx, from, f)
	}
}

func (p *Processes) receive(ctx context.Context, from inletKey, f frame) {
	switch f.kind {
	case frameSend:
		p.onSend(ctx, from, f)
	case frameCall:
		p.onCall(ctx, from, f)
	case frameReply:
		p.onReply(from, f)
	case frameCancel:
		p.onCancel(servingKey{from.node, from.incarnation, f.call})
	}
}

func (p *Processes) onSend(ctx context.Context, from inletKey, f frame) {
	proc, err := p.find(f.target)
	if err == nil {
		err = proc.put(ctx, envelope{Message: f.message(from)})
	}
	if err != nil {
		p.dead.noProcess.Add(1)
		p.cfg.Log.Debug("dead letter", "from", from.node, "to", f.target, "error", err)
	}
}

func (f *frame) message(from inletKey) Message {
	sender := name.Ref{Node: from.node, Incarnation: from.incarnation, ID: f.sender}
	return Message{From: sender, Payload: f.payload, Call: f.kind == frameCall && f.flags&flagReceipt == 0}
}

func (p *Processes) onCall(ctx context.Context, from inletKey, f frame) {
	proc, err := p.find(f.target)
	if err != nil {
		p.reply(from.node, f.call, nil, err)
		return
	}
	e := envelope{Message: f.message(from)}
	if f.left > 0 {
		e.deadline = time.Now().Add(time.Duration(min(f.left, maxLeft)) * time.Millisecond)
	}
	if f.flags&flagReceipt != 0 {
		e.receipt = func() { p.reply(from.node, f.call, nil, nil) }
	} else {
		e = p.serve(from, f.call, e)
	}
	if err := proc.put(ctx, e); err != nil {
		p.onCancel(servingKey{from.node, from.incarnation, f.call})
		p.reply(from.node, f.call, nil, err)
	}
}

// maxLeft bounds the deadline that a peer can ask for, in milliseconds.
const maxLeft = uint64(24 * time.Hour / time.Millisecond)

// serve completes the envelope of a call: the way back, and the caller's change of
// mind.
func (p *Processes) serve(from inletKey, id uint64, e envelope) envelope {
	key := servingKey{from.node, from.incarnation, id}
	ctx, cancel := context.WithCancel(context.Background())
	p.mu.Lock()
	p.serving[key] = cancel
	p.mu.Unlock()
	e.ctx = ctx
	e.answer = func(out []byte, err error) {
		p.onCancel(key)
		p.reply(from.node, id, out, err)
	}
	return e
}

func (p *Processes) onCancel(key servingKey) {
	p.mu.Lock()
	cancel := p.serving[key]
	delete(p.serving, key)
	p.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

func (p *Processes) onReply(from inletKey, f frame) {
	var err error
	if f.status != statusOK {
		err = remote(from.node, f.status, string(f.payload))
		f.payload = nil
	}
	p.calls.finish(f.call, from.node, result{payload: f.payload, err: err})
}
