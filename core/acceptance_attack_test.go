package core_test

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/barrelp2p/barrel/core/machine/handshake"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

func otherProtocol(t *testing.T, s *siege) {
	e := newEndpoint(t, "127.0.0.2")
	e.tls.NextProtos = []string{"h3"}
	if _, err := e.try(s.node); err == nil {
		t.Error("one who speaks another protocol was let in")
	}
}

func noCertificate(t *testing.T, s *siege) {
	e := newEndpoint(t, "127.0.0.2")
	e.tls.Certificates = nil
	qc, err := e.try(s.node)
	if err == nil { // TLS 1.3 lets the client finish first
		err = thrownOut(t, qc)
	}
	if err == nil {
		t.Error("one without a certificate was let in")
	}
}

// byteAtATime sends a good beginning so slowly that it never ends.
func byteAtATime(t *testing.T, s *siege) {
	e := newEndpoint(t, "127.0.0.2")
	began := time.Now()
	qc := e.dial(s.node)
	m, out := handshake.New(e.greeting(qc, "slow@127.0.0.2", s.node), 0), handshake.Effects{}
	m.Step(0, handshake.Input{Kind: handshake.Start}, &out)
	hello := handshake.AppendFrame(nil, out.Send[0])
	stream := e.stream(qc, hello[:1])
	tick := time.NewTicker(besieged / 20)
	defer tick.Stop()
	for _, b := range hello[1:] {
		if _, err := stream.Write([]byte{b}); err != nil {
			break
		}
		<-tick.C
	}
	closedWith(t, qc, uint64(transport.CloseRefused))
	within(t, "throwing out the slow one", began, patience)
}

func oversizedHandshake(t *testing.T, s *siege) {
	e := newEndpoint(t, "127.0.0.2")
	qc := e.dial(s.node)
	stream := e.stream(qc, append([]byte{0xff, 0xff}, make([]byte, 64<<10)...))
	body, err := handshake.ReadFrame(stream)
	if err != nil || !bytes.Contains(body, []byte("65535 bytes")) {
		t.Errorf("told %q, %v", body, err)
	}
	closedWith(t, qc, uint64(transport.CloseRefused))
}

// noHandshake sends what is no handshake at all.
func noHandshake(t *testing.T, s *siege) {
	e := newEndpoint(t, "127.0.0.2")
	qc := e.dial(s.node)
	e.stream(qc, handshake.AppendFrame(nil, []byte("GET / HTTP/1.1\r\n\r\n")))
	closedWith(t, qc, uint64(transport.CloseRefused))
}

// callFrame is the beginning of a message stream with one call in it, as package
// process writes it, for the service echo.
func callFrame() []byte {
	open := append([]byte{1, 1, 2, 4}, "echo"...)                     // account, target
	call := append([]byte{3, 1, 1, 0, 0, 0, 0, 0, 1, 1}, "stolen"...) // account, call, flags, milliseconds left, sender, codec
	both := append(append([]byte{0, 0, byte(len(open))}, open...), 0, 0, byte(len(call)))
	return append(messagesHead(0), append(both, call...)...)
}

// messagesHead begins a stream of messages: version, kind, shard, generation, after.
func messagesHead(shard byte) []byte {
	head := binary.BigEndian.AppendUint64([]byte{1, 1, shard}, 1)
	return binary.BigEndian.AppendUint64(head, 0)
}

// dataBeforeHandshake keeps the handshake waiting and calls a service meanwhile.
func dataBeforeHandshake(t *testing.T, s *siege) {
	e := newEndpoint(t, "127.0.0.3")
	qc := e.dial(s.node)
	first, err := qc.OpenStreamSync(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = first.Close() }()
	for range 10 {
		e.stream(qc, callFrame())
	}
	if err := qc.SendDatagram([]byte{1, 1, 0, 0}); err != nil {
		t.Error(err)
	}
	_ = thrownOut(t, qc)
}

// oversizedControlFrame is a visitor that behaves at first.
func oversizedControlFrame(t *testing.T, s *siege) {
	e := newEndpoint(t, "127.0.0.4")
	qc := e.dial(s.node)
	control, err := e.shakeHands(qc, "visitor@127.0.0.4", s.node)
	if err != nil {
		t.Fatalf("the good part of the handshake: %v", err)
	}
	if _, err := control.Write([]byte{1, 1, 0xff, 0xff, 0xff, 0xff}); err != nil {
		t.Error(err)
	}
	closedWith(t, qc, uint64(transport.CloseProtocol))
}

const talker = "talker@127.0.0.4"

// oversizedMessage is a visitor whose calls are answered, until one is too large.
func oversizedMessage(t *testing.T, s *siege) {
	e := newEndpoint(t, "127.0.0.4")
	qc := e.dial(s.node)
	if _, err := e.shakeHands(qc, talker, s.node); err != nil {
		t.Fatalf("the good part of the handshake: %v", err)
	}
	_ = e.stream(qc, callFrame()).Close()
	eventually(t, "a call that is made properly is handled", func() bool { return s.talked.Load() == 1 })
	stream := e.stream(qc, append(messagesHead(1), 0xff, 0xff, 0xff, 0xff))
	var reset *quic.StreamError
	if _, err := stream.Read(make([]byte, 1)); !isAs(err, &reset) || !reset.Remote {
		t.Errorf("a message of 4 GiB: %v, want the stream reset", err)
	}
	_ = qc.CloseWithError(quic.ApplicationErrorCode(transport.CloseLeaving), "")
}
