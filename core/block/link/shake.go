package link

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/interfaces/trust"

	"github.com/barrelp2p/barrel/core/machine/handshake"
)

// dialTarget is what the dialing side knows; zero for the accepting side.
type dialTarget struct {
	node  name.Node // the name that was dialed
	epoch uint64
}

func (d dialTarget) dialed() bool { return !d.node.IsZero() }

// shaker drives one handshake machine over one stream.
type shaker struct {
	links   *Links
	t       transport.Conn
	stream  transport.Stream
	target  dialTarget
	machine *handshake.Machine
	begin   time.Time
	peer    Peer   // what is known so far
	greeted func() // called when the peer has sent a message
}

// shake proves both ends to each other. When it fails the connection is closed, the
// peer knows why, and the observer has been told.
func (l *Links) shake(ctx context.Context, t transport.Conn, target dialTarget, greeted func()) (*conn, error) {
	defer context.AfterFunc(ctx, func() { abandon(ctx, t) })()
	rationed, cancel := context.WithCancel(ctx)
	defer cancel()
	l.cfg.Tasks.Go("ration", func(context.Context) { ration(rationed, t) }) // if the node stops, ctx ends
	s := &shaker{links: l, t: t, target: target, begin: time.Now(), greeted: greeted}
	s.peer = Peer{Node: target.node, Remote: t.Info().Remote}
	result, err := s.guarded(ctx)
	if err != nil {
		s.learn()
		if ctx.Err() == nil || target.dialed() {
			l.cfg.Observer.Refused(s.peer, target.dialed(), err) // before the peer knows
		}
		s.refuse(err)
		return nil, err
	}
	peer := s.known(result.Peer)
	peer.Proof = result.Proof
	return newConn(l, t, s.stream, peer, target.dialed(), result.Epoch), nil
}

// abandon closes a connection whose handshake nobody waits for any more.
func abandon(ctx context.Context, t transport.Conn) {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		_ = t.Close(transport.CloseNone, "the handshake took too long")
		return
	}
	_ = t.Close(transport.CloseStopping, "node stops")
}

// guarded runs the handshake. Should it panic, no connection stays behind.
func (s *shaker) guarded(ctx context.Context) (*handshake.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, s.links.cfg.HandshakeTimeout)
	defer cancel()
	over := false
	defer func() {
		if !over {
			_ = s.t.Close(transport.CloseProtocol, "the handshake failed here: see the log")
		}
	}()
	result, err := s.run(ctx)
	over = true
	return result, err
}

func (s *shaker) known(p handshake.Identity) Peer {
	return Peer{
		Node: p.Node, Key: p.Key, Incarnation: p.Incarnation,
		Endpoints: p.Endpoints, Remote: s.peer.Remote, Hidden: p.Hidden, Outside: p.Hidden || s.links.cfg.Hidden,
	}
}

// learn notes who the peer of a failed handshake said it was; that is all it is.
func (s *shaker) learn() {
	if s.machine == nil {
		return
	}
	if p, ok := s.machine.Claimed(); ok {
		s.peer = s.known(p.Identity)
	}
}

func (s *shaker) run(ctx context.Context) (*handshake.Result, error) {
	cfg, err := s.config()
	if err != nil {
		return nil, err
	}
	if err := s.openStream(ctx); err != nil {
		return nil, s.explain(err)
	}
	s.machine = handshake.New(cfg, 0)
	in := handshake.Input{Kind: handshake.Start}
	for {
		var out handshake.Effects
		s.machine.Step(time.Since(s.begin), in, &out)
		err := s.send(out.Send)
		switch {
		case out.Failed != nil:
			return nil, out.Failed
		case err != nil && out.Done != nil: // the machine is over, and the peer does not know
			return nil, s.explain(err)
		case err != nil:
			in = handshake.Input{Kind: handshake.Broken, Err: s.explain(err)}
		case out.Done != nil:
			return out.Done, errors.Join(s.stream.SetReadDeadline(time.Time{}), s.stream.SetWriteDeadline(time.Time{}))
		case out.Ask != nil:
			in = handshake.Input{Kind: handshake.Verdict, Verdict: s.ask(ctx, *out.Ask)}
		default:
			in = s.read(in)
		}
	}
}

func (s *shaker) config() (handshake.Config, error) {
	l := s.links.cfg
	endpoints, signer := l.Transport.Addresses(), l.Signer()
	cfg := handshake.Config{
		Dialer: s.target.dialed(),
		Self: handshake.Identity{
			Node: l.Node, Key: signer.Public(), Cluster: l.Cluster,
			Hidden: l.Hidden, Incarnation: l.Incarnation, Endpoints: endpoints[:min(len(endpoints), handshake.MaxEndpoints)],
		},
		Epoch: s.target.epoch, Expect: s.target.node, Binding: s.t.Info().Binding,
		Wall: time.Now(), Skew: l.ClockSkew, Timeout: l.HandshakeTimeout,
		Auth: l.Auth, Cookie: l.Cookie, CookieOnly: l.CookieOnly, Sign: signer.Sign,
	}
	_, err := rand.Read(cfg.Nonce[:])
	return cfg, err
}

// openStream gets the first stream and puts one deadline over all that follows, so
// that a peer cannot buy time by sending a byte now and then.
func (s *shaker) openStream(ctx context.Context) (err error) {
	if s.target.dialed() {
		s.stream, err = s.t.OpenStream(ctx)
	} else {
		s.stream, err = s.t.AcceptStream(ctx)
	}
	if err != nil {
		return err
	}
	deadline := s.begin.Add(s.links.cfg.HandshakeTimeout)
	return errors.Join(s.stream.SetReadDeadline(deadline), s.stream.SetWriteDeadline(deadline.Add(refusalWait)))
}

func (s *shaker) send(bodies [][]byte) error {
	var frames []byte
	for _, body := range bodies {
		frames = handshake.AppendFrame(frames, body)
	}
	if len(frames) == 0 {
		return nil
	}
	_, err := s.stream.Write(frames)
	return err
}

// read waits for the next frame. When time is up the machine is told once, so that it
// can tell the peer; last is its input before this one.
func (s *shaker) read(last handshake.Input) handshake.Input {
	body, err := handshake.ReadFrame(s.stream)
	switch {
	case err == nil:
		s.greeted()
		return handshake.Input{Kind: handshake.Frame, Frame: body}
	case errors.Is(err, os.ErrDeadlineExceeded) && last.Kind != handshake.Tick:
		return handshake.Input{Kind: handshake.Tick}
	case errors.Is(err, handshake.ErrOversized):
		return handshake.Input{Kind: handshake.Broken, Err: err}
	}
	return handshake.Input{Kind: handshake.Broken, Err: s.explain(err)}
}

// ask puts the question to the trust slot. Whatever is not a clear yes is a no.
func (s *shaker) ask(ctx context.Context, p handshake.Peer) (err error) {
	s.peer = s.known(p.Identity)
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("trust panicked: %v", value)
		}
	}()
	return s.links.cfg.Trust.Decide(ctx, trust.Claim{
		Node: p.Node, Key: p.Key, Cluster: p.Cluster,
		Remote: s.peer.Remote, Dialed: s.target.dialed(),
	})
}
