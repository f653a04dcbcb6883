package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/barrelp2p/barrel/interfaces/transport"
)

// Large payloads have a stream each, so that small messages do not wait for them. What
// keeps the order is a frame in the place of the message, with the token of the stream.

const (
	maxLargeReplies = 64 << 20         // bytes of large answers on their way to one node
	largeTime       = 30 * time.Second // for a large payload and its frame to find each other
)

// large is a payload on its way.
type large struct {
	remote *remote
	token  uint64
	data   []byte
	call   uint64
	sender uint64
	target Target
	free   func()
}

// newLarge waits for a slot and copies the payload.
func (r *remote) newLarge(ctx context.Context, to Target, m *parcel) (*large, error) {
	select {
	case r.larges <- struct{}{}:
	default:
		if m.nowait {
			return nil, fmt.Errorf("message to %s: too many large ones are on their way: %w", to, ErrBusy)
		}
		select {
		case r.larges <- struct{}{}:
		case <-ctx.Done():
			return nil, fmt.Errorf("message to %s: too many large ones are on their way: %w", to, ctx.Err())
		}
	}
	return &large{
		remote: r, token: r.procs.nextGen.Add(1), data: slices.Concat(m.payload.data, []byte(m.payload.text)),
		call: m.call, sender: m.sender, target: to, free: func() { <-r.larges },
	}, nil
}

// beginLarge begins a frame, around which there is another if its payload is large.
func beginLarge(b []byte, l *large, kind byte) []byte {
	if l == nil {
		return beginFrame(b, kind)
	}
	b = appendNumber(appendNumber(beginFrame(b, frameLarge), l.token), uint64(len(l.data)))
	return append(b, kind)
}

// posted lets the payload go when its frame is queued.
func (l *large) posted(err error) {
	if err == nil && l.remote.procs.cfg.Tasks.Go("large", l.send) {
		return
	}
	l.free()
	if err == nil {
		l.lost(ErrStopped)
	}
}

func (l *large) send(ctx context.Context) {
	defer l.free()
	if err := l.write(ctx); err != nil {
		kind := ErrNoConnection
		if ctx.Err() != nil {
			kind = ErrStopped
		}
		l.lost(fmt.Errorf("message to %s: %w: %w", l.remote.node, err, kind))
	}
}

func (l *large) lost(err error) {
	if l.call != 0 {
		l.remote.calls.finish(l.call, nil, err)
		return
	}
	l.remote.procs.deadLetter(l.remote.procs.refOf(l.sender), l.target, err)
}

// write returns when the other end has read all of it.
func (l *large) write(ctx context.Context) error {
	stream, err := l.remote.procs.openStream(ctx, l.remote.node)
	if err != nil {
		return err
	}
	defer stream.Release()
	defer context.AfterFunc(ctx, func() { _ = stream.SetWriteDeadline(time.Now().Add(stopGrace)) })()
	defer context.AfterFunc(ctx, func() { _ = stream.SetReadDeadline(time.Now().Add(stopGrace)) })()
	if _, err = stream.Write(encodeStreamHeader(largeShard, l.token, 0)); err == nil {
		_, err = stream.Write(l.data)
	}
	if err == nil {
		err = stream.CloseWrite()
	}
	if err == nil {
		_, err = stream.Read(make([]byte, 1))
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	stream.Reset(transport.CloseNone)
	if err == nil {
		err = errors.New("its receiver answered what it should not")
	}
	return err
}

// arrival is where a large payload and its frame meet. Guarded by guest.mu.
type arrival struct {
	framed chan struct{} // closed when the frame has come
	size   int
	done   func(data []byte, err error) // gets the payload
	stream bool
	timer  *time.Timer
}

// arrive returns the meeting point of a token, made on demand; nil if there are too
// many. Callers hold g.mu.
func (g *guest) arrive(token uint64) *arrival {
	a := g.arrivals[token]
	if a == nil && len(g.arrivals) < maxArrivals {
		a = &arrival{framed: make(chan struct{})}
		g.arrivals[token] = a
	}
	return a
}

const maxArrivals = 1024

// expectLarge notes the frame of a large payload; done is called once.
func (g *guest) expectLarge(token uint64, size int, done func(data []byte, err error)) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.arrive(token)
	if a == nil || a.done != nil {
		return fmt.Errorf("large payload %d: there are too many, or it has been announced: %w", token, ErrMalformed)
	}
	a.size, a.done = size, done
	close(a.framed)
	if !a.stream {
		a.timer = time.AfterFunc(largeTime, func() { g.giveUp(token) })
	}
	return nil
}

// giveUp: the payload of a frame has not come.
func (g *guest) giveUp(token uint64) {
	g.mu.Lock()
	a := g.arrivals[token]
	if a == nil || a.stream || a.done == nil {
		g.mu.Unlock()
		return
	}
	delete(g.arrivals, token)
	g.mu.Unlock()
	a.done(nil, ErrNoConnection)
}

// readLarge reads the payload for a frame, which it waits for.
func (p *Processes) readLarge(ctx context.Context, g *guest, token uint64, stream Stream) error {
	g.mu.Lock()
	a := g.arrive(token)
	if a == nil || a.stream {
		g.mu.Unlock()
		return fmt.Errorf("large payload %d: there are too many, or it has come: %w", token, ErrMalformed)
	}
	a.stream = true
	if a.timer != nil {
		a.timer.Stop()
	}
	g.mu.Unlock()
	defer g.met(token)
	timer := time.NewTimer(largeTime)
	defer timer.Stop()
	select {
	case <-a.framed:
	case <-timer.C:
		return errors.New("no frame announced this payload")
	case <-stream.Ended():
		return errors.New("the connection ended")
	case <-ctx.Done():
		return ctx.Err()
	}
	data, err := p.readPayload(stream, a.size)
	a.done(data, err)
	if err == nil {
		err = io.EOF
	}
	return err
}

func (g *guest) met(token uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.arrivals, token)
}

// readPayload reads a payload; of one that is too large it keeps nothing, and who is done
// with it says so.
func (p *Processes) readPayload(r io.Reader, size int) ([]byte, error) {
	if p.tooLarge(size) == nil {
		return readSized(r, size)
	}
	n, err := io.Copy(io.Discard, io.LimitReader(r, int64(size)+1))
	return nil, sized(n, size, err)
}

// tooLarge is the error for a payload from elsewhere of which this node takes no such.
func (p *Processes) tooLarge(size int) error {
	if size <= p.cfg.MaxPayload {
		return nil
	}
	return fmt.Errorf("%d bytes, at most %d at %s: %w", size, p.cfg.MaxPayload, p.cfg.Node, ErrTooLarge)
}

func sized(n int64, size int, err error) error {
	if err == nil && n != int64(size) {
		err = fmt.Errorf("large payload: %d bytes, announced were %d: %w", n, size, ErrMalformed)
	}
	return err
}

// readSized reads size bytes and the end; it never holds more than twice what has come.
func readSized(r io.Reader, size int) ([]byte, error) {
	var data bytes.Buffer
	n, err := data.ReadFrom(io.LimitReader(r, int64(size)+1))
	if err = sized(n, size, err); err != nil {
		return nil, err
	}
	return data.Bytes(), nil
}
