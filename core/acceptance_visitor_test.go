package core_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/core/machine/handshake"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// shakeHands does what a node does first, over the first stream, under a name and with
// a key of its own. What comes after is up to the test.
func (e *endpoint) shakeHands(qc *quic.Conn, as string, with *core.Node) (*quic.Stream, error) {
	e.t.Helper()
	cfg := e.greeting(qc, as, with)
	s := e.stream(qc, nil)
	m, begin, in := handshake.New(cfg, 0), time.Now(), handshake.Input{Kind: handshake.Start}
	for {
		var out handshake.Effects
		m.Step(time.Since(begin), in, &out)
		for _, body := range out.Send {
			if _, err := s.Write(handshake.AppendFrame(nil, body)); err != nil {
				return s, err
			}
		}
		switch {
		case out.Failed != nil || out.Done != nil:
			return s, out.Failed
		case out.Ask != nil:
			in = handshake.Input{Kind: handshake.Verdict}
		default:
			body, err := handshake.ReadFrame(s)
			in = handshake.Input{Kind: handshake.Frame, Frame: body}
			if err != nil {
				in = handshake.Input{Kind: handshake.Broken, Err: errors.Join(err, thrownOut(e.t, qc))}
			}
		}
	}
}

func (e *endpoint) greeting(qc *quic.Conn, as string, with *core.Node) handshake.Config {
	e.t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		e.t.Fatal(err)
	}
	state := qc.ConnectionState().TLS
	binding, err := state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
	if err != nil {
		e.t.Fatal(err)
	}
	cfg := handshake.Config{
		Dialer: true, Epoch: 1, Expect: with.Name(), Binding: [32]byte(binding), Wall: time.Now(),
		Self: handshake.Identity{
			Node: name.MustNode(as), Key: [32]byte(public), Cluster: "default", Incarnation: uint64(time.Now().UnixMilli()),
		},
		Skew: time.Minute, Timeout: patience, Auth: true,
		Sign: func(message []byte) [64]byte { return [64]byte(ed25519.Sign(private, message)) },
	}
	_, _ = rand.Read(cfg.Nonce[:]) // never fails
	return cfg
}

// closedWith checks the code of the close that ended a connection.
func closedWith(t *testing.T, qc *quic.Conn, want uint64) {
	t.Helper()
	var closed *quic.ApplicationError
	if err := thrownOut(t, qc); !isAs(err, &closed) || !closed.Remote || uint64(closed.ErrorCode) != want {
		t.Errorf("the connection ended with %v, want the peer to close it with code %d", err, want)
	}
}
