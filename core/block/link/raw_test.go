package link_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/core/block/link"
	"github.com/barrelp2p/barrel/core/machine/handshake"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// raw is a peer that speaks the protocol by hand, and breaks it where a test says so.
type raw struct {
	t       *testing.T
	node    name.Node
	conn    transport.Conn
	control transport.Stream
}

// stranger opens connections from a transport of its own.
func (w *world) stranger(text, listen string) (transport.Plugin, func(to *host) *raw) {
	w.t.Helper()
	node := name.MustNode(text)
	own := w.transportAt(node, listen)
	return own, func(to *host) *raw {
		conn, err := own.Dial(w.t.Context(), to.transport.Addresses()[0])
		must(w.t, err)
		return &raw{t: w.t, node: node, conn: conn}
	}
}

// handshake makes r a peer of the cluster, with the epoch given.
func (r *raw) handshake(to name.Node, epoch uint64) *raw {
	r.t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	must(r.t, err)
	r.control, err = r.conn.OpenStream(r.t.Context())
	must(r.t, err)
	key := keyPair(private)
	cfg := handshake.Config{
		Dialer: true, Self: handshake.Identity{Node: r.node, Key: key.Public(), Cluster: "test", Incarnation: 1},
		Epoch: epoch, Expect: to, Binding: r.conn.Info().Binding, Wall: time.Now(), Skew: time.Minute,
		Timeout: 10 * time.Second, Auth: true, Sign: key.Sign,
	}
	rand.Read(cfg.Nonce[:])
	machine, in := handshake.New(cfg, 0), handshake.Input{Kind: handshake.Start}
	for {
		var out handshake.Effects
		machine.Step(0, in, &out)
		for _, body := range out.Send {
			r.write(r.control, handshake.AppendFrame(nil, body))
		}
		switch {
		case out.Failed != nil:
			r.t.Fatalf("handshake by hand: %v", out.Failed)
		case out.Done != nil:
			synctest.Wait() // until the other end has taken it in
			return r
		case out.Ask != nil:
			in = handshake.Input{Kind: handshake.Verdict}
		default:
			body, err := handshake.ReadFrame(r.control)
			must(r.t, err)
			in = handshake.Input{Kind: handshake.Frame, Frame: body}
		}
	}
}

func (r *raw) write(s transport.Stream, data []byte) {
	r.t.Helper()
	if _, err := s.Write(data); err != nil {
		r.t.Fatalf("write: %v", err)
	}
}

// frame is a control frame with a size of the test's choosing.
func frame(version, channel byte, size uint32, body string) []byte {
	b := binary.BigEndian.AppendUint32([]byte{version, channel}, size)
	return append(b, body...)
}

// cause waits for the end of the connection.
func (r *raw) cause() error {
	<-r.conn.Context().Done()
	return context.Cause(r.conn.Context())
}

// stream opens a stream and writes data.
func (r *raw) stream(data ...byte) transport.Stream {
	r.t.Helper()
	s, err := r.conn.OpenStream(r.t.Context())
	must(r.t, err)
	r.write(s, data)
	return s
}

// drink reads whatever comes, so that nothing stalls.
func (r *raw) drink(s transport.Stream) {
	go func() { _, _ = io.Copy(io.Discard, s) }()
}

// The own frames that raw peers speak.
const (
	ownPing    = 1
	ownPong    = 2
	ownGoodbye = 3
	ownIdle    = 4
	ownAgreed  = 5
	ownDrained = 6
	ownSurplus = 7
)

// read returns the next control frame: its channel, and its body.
func (r *raw) read() (byte, string, error) {
	var head [6]byte
	if _, err := io.ReadFull(r.control, head[:]); err != nil {
		return 0, "", err
	}
	body := make([]byte, binary.BigEndian.Uint32(head[2:]))
	_, err := io.ReadFull(r.control, body)
	return head[1], string(body), err
}

// answer reads control frames until the connection ends, answers pings, and notes the
// rest: own frames by their number, others by their text.
func (r *raw) answer() *record {
	heard := &record{}
	go func() {
		for {
			channel, body, err := r.read()
			switch {
			case err != nil:
				return
			case channel != 0:
				heard.add("frame", r.node, body)
			case body[0] == ownPing:
				_, _ = r.control.Write(frame(link.Version, 0, 9, string(rune(ownPong))+body[1:]))
			default:
				heard.add("own", r.node, fmt.Sprint(body[0]))
			}
		}
	}()
	return heard
}

// own sends an own frame that is one byte.
func (r *raw) own(kind byte) {
	r.t.Helper()
	r.write(r.control, frame(link.Version, 0, 1, string(rune(kind))))
}
