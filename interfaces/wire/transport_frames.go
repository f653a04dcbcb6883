package wire

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	"github.com/barrelp2p/barrel/interfaces/proto/transportv1"
)

// The numbers of transport.proto.
const (
	frameHead  = 9
	frameMost  = 64 << 10  // bytes of one payload
	window     = 256 << 10 // bytes of a stream that may be under way
	giveCredit = window / 4
	maxSpare   = 1 << 20 // bytes of memory that is kept to be written from again
)

// frame is one message between host and plugin on the socket of a connection.
type frame struct {
	kind    transportv1.Kind
	stream  uint32
	payload []byte // valid until the next frame is read
}

// into reads the payload of a frame that is a message.
func (f frame) into(m proto.Message) error {
	if err := proto.Unmarshal(f.payload, m); err != nil {
		return malformed("a frame %s: %s", f.kind, text(err.Error()))
	}
	return nil
}

// framer sends and reads frames. Sending never blocks: what a stream may have under way
// is bounded by its credit, what is asked by who waits for the answer, and what is said
// because the other side said something by that it has to read.
type framer struct {
	socket net.Conn
	wake   chan struct{} // of capacity 1
	done   chan struct{} // closed when everything is written, or nothing more can be

	mu     sync.Mutex
	out    []byte
	ending bool // close the socket once out is written

	control atomic.Int64 // bytes of out that no credit bounds
}

func newFramer(socket net.Conn) *framer {
	f := &framer{socket: socket, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go f.write()
	return f
}

// send queues a frame. After end it does nothing.
func (f *framer) send(kind transportv1.Kind, stream uint32, payload []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ending {
		return
	}
	f.out = append(f.out, byte(kind))
	f.out = binary.BigEndian.AppendUint32(f.out, stream)
	f.out = binary.BigEndian.AppendUint32(f.out, uint32(len(payload)))
	f.out = append(f.out, payload...)
	if kind != transportv1.Kind_DATA {
		f.control.Add(int64(frameHead + len(payload)))
	}
	f.ring()
}

// say queues a frame whose payload is a message.
func (f *framer) say(kind transportv1.Kind, stream uint32, m proto.Message) {
	payload, err := proto.Marshal(m)
	if err == nil && len(payload) <= frameMost {
		f.send(kind, stream, payload)
	}
}

// queued is how many bytes wait to be written.
func (f *framer) queued() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.out)
}

func (f *framer) ring() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// end closes the socket when what was queued is written.
func (f *framer) end() {
	f.mu.Lock()
	f.ending = true
	f.mu.Unlock()
	f.ring()
}

// cut closes the socket now and waits for the writer.
func (f *framer) cut() {
	_ = f.socket.Close()
	f.end()
	<-f.done
}

func (f *framer) write() {
	defer close(f.done)
	defer f.stop()
	var spare []byte
	for {
		f.mu.Lock()
		out, ending := f.out, f.ending
		f.out = spare[:0]
		f.control.Store(0)
		f.mu.Unlock()
		if spare = out; cap(out) > maxSpare {
			spare = nil
		}
		if len(out) > 0 {
			if _, err := f.socket.Write(out); err != nil {
				return
			}
			continue
		}
		if ending {
			return
		}
		<-f.wake
	}
}

// stop lets nobody queue anything that nobody will write.
func (f *framer) stop() {
	_ = f.socket.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ending, f.out = true, nil
}

// read hands frames on until the other side closes the socket or handle returns an
// error. io.EOF stands for the first.
func (f *framer) read(handle func(frame) error) error {
	in, head, payload := bufio.NewReaderSize(f.socket, frameMost), make([]byte, frameHead), make([]byte, frameMost)
	for {
		if _, err := io.ReadFull(in, head); err != nil {
			return io.EOF
		}
		length := binary.BigEndian.Uint32(head[5:])
		if length > frameMost {
			return malformed("a frame of %d bytes", length)
		}
		if _, err := io.ReadFull(in, payload[:length]); err != nil {
			return io.EOF
		}
		err := handle(frame{transportv1.Kind(head[0]), binary.BigEndian.Uint32(head[1:]), payload[:length]})
		if err != nil {
			return err
		}
	}
}
