package stream

import (
	"io"
	"os"
	"time"
)

func (p *pipe) read(into []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.err != nil:
			return 0, p.err
		case p.reader.passed():
			return 0, os.ErrDeadlineExceeded
		case len(p.unread) > 0 || len(into) == 0:
			n := copy(into, p.unread)
			p.unread = p.unread[n:]
			p.changed.Broadcast()
			return n, nil
		case p.closed:
			return 0, io.EOF
		}
		p.changed.Wait()
	}
}

func (p *pipe) write(data []byte) (n int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.err != nil:
			return n, p.err
		case p.closed:
			return n, io.ErrClosedPipe
		case p.writer.passed():
			return n, os.ErrDeadlineExceeded
		case n == len(data):
			return n, nil
		}
		if room := pipeSize - len(p.unread); room > 0 {
			more := min(room, len(data)-n)
			p.unread = append(p.unread, data[n:n+more]...)
			n += more
			p.changed.Broadcast()
			continue
		}
		p.changed.Wait()
	}
}

func (p *pipe) finish() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.changed.Broadcast()
	return p.err
}

// fail ends the pipe. What is in it is lost, unless all of it has been read.
func (p *pipe) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil && !(p.closed && len(p.unread) == 0) {
		p.err = err
	}
	p.changed.Broadcast()
}

// deadline is guarded by the lock of its pipe.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func (d *deadline) set(p *pipe, t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.at = t
	if !t.IsZero() {
		d.timer = time.AfterFunc(max(time.Until(t), 0), func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.changed.Broadcast()
		})
	}
	p.changed.Broadcast()
}
