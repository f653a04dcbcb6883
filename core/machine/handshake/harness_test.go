package handshake

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

var update = flag.Bool("update", false, "rewrite the files in testdata")

// golden compares got with a file of testdata, or rewrites it.
func golden(t *testing.T, file, got string) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; if that is meant, run with -update\n--- got\n%s--- want\n%s", path, got, want)
	}
}

const second = time.Second

func fill(b byte) (out [32]byte) {
	for i := range out {
		out[i] = b
	}
	return out
}

func privateKey(seed byte) ed25519.PrivateKey {
	s := fill(seed)
	return ed25519.NewKeyFromSeed(s[:])
}

// configOf is a node called node whose key and nonce follow from seed.
func configOf(node string, seed byte) Config {
	private := privateKey(seed)
	return Config{
		Self: Identity{
			Node: name.MustNode(node), Key: [32]byte(private.Public().(ed25519.PublicKey)),
			Cluster: "default", Incarnation: 1790000000000 + uint64(seed),
			Endpoints: []name.Address{name.MustAddress("10.0.0.1:9100"), name.MustAddress("[fd00::1]:9100")},
		},
		Binding: fill(0xb1), Nonce: fill(0xe0 | seed),
		Wall: time.UnixMilli(1790000000000), Skew: 30 * second, Timeout: 10 * second, Auth: true,
		Sign: func(message []byte) [64]byte { return [64]byte(ed25519.Sign(private, message)) },
	}
}

func dialerConfig() Config {
	c := configOf("a@10.0.0.1", 1)
	c.Dialer, c.Epoch, c.Expect = true, 7, name.MustNode("b@10.0.0.2")
	return c
}

func acceptorConfig() Config { return configOf("b@10.0.0.2", 2) }

func anybody(name.Node) bool { return true }

// side is one machine with its host.
type side struct {
	m       *Machine
	verdict error
	asked   []Peer
	sent    [][]byte
	done    *Result
	failed  error
	inbox   []byte // bytes that arrived and make no whole frame yet
}

// pair is two machines joined by two byte streams.
type pair struct {
	dialer, acceptor *side
	now              time.Duration
	chunk            int // bytes per delivery; 0: a frame at once
	// edit changes the bytes of the nth frame, counted from 0, that a side sends.
	edit func(from role, nth int, framed []byte) []byte
}

func newPair(d, a Config) *pair {
	return &pair{dialer: &side{m: New(d, 0)}, acceptor: &side{m: New(a, 0)}}
}

func (p *pair) side(r role) (from, to *side) {
	if r == dialer {
		return p.dialer, p.acceptor
	}
	return p.acceptor, p.dialer
}

// run drives both to an end; what still waits then runs into its deadline.
func (p *pair) run() *pair {
	p.step(acceptor, Input{Kind: Start})
	p.step(dialer, Input{Kind: Start})
	p.now = 11 * second
	p.step(dialer, Input{Kind: Tick})
	p.step(acceptor, Input{Kind: Tick})
	return p
}

func (p *pair) step(r role, in Input) {
	from, _ := p.side(r)
	var out Effects
	from.m.Step(p.now, in, &out)
	if out.Done != nil {
		from.done = out.Done
	}
	if out.Failed != nil {
		from.failed = out.Failed
	}
	for _, body := range slices.Clone(out.Send) {
		p.deliver(r, body)
	}
	if out.Ask != nil {
		from.asked = append(from.asked, *out.Ask)
		p.step(r, Input{Kind: Verdict, Verdict: from.verdict})
	}
}

func (p *pair) deliver(r role, body []byte) {
	from, to := p.side(r)
	framed := AppendFrame(nil, body)
	if p.edit != nil {
		framed = p.edit(r, len(from.sent), framed)
	}
	from.sent = append(from.sent, body)
	chunk := max(p.chunk, 1)
	if p.chunk == 0 {
		chunk = max(len(framed), 1)
	}
	for part := range slices.Chunk(framed, chunk) {
		to.inbox = append(to.inbox, part...)
		p.receive(r.other(), to)
	}
}

func (p *pair) receive(r role, to *side) {
	for {
		in := bytes.NewReader(to.inbox)
		body, err := ReadFrame(in)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return
		case err != nil:
			to.inbox = nil
			p.step(r, Input{Kind: Broken, Err: err})
			return
		}
		to.inbox = to.inbox[len(to.inbox)-in.Len():]
		p.step(r, Input{Kind: Frame, Frame: body})
	}
}

func (p *pair) mustSucceed(t *testing.T, proof Proof) {
	t.Helper()
	for _, s := range []*side{p.dialer, p.acceptor} {
		if s.failed != nil || s.done == nil {
			t.Fatalf("%s: done %v, failed: %v", s.m.role, s.done, s.failed)
		}
		if s.done.Proof != proof {
			t.Errorf("%s: proof %v, want %v", s.m.role, s.done.Proof, proof)
		}
	}
	p.mustAgree(t)
}

// mustAgree checks that what a side is done with is what the other side is.
func (p *pair) mustAgree(t *testing.T) {
	t.Helper()
	for _, r := range []role{dialer, acceptor} {
		s, other := p.side(r)
		if s.done == nil {
			continue
		}
		got, want := s.done.Peer, other.m.cfg.Self
		if got.Node != want.Node || got.Key != want.Key || got.Cluster != want.Cluster ||
			got.Incarnation != want.Incarnation || !slices.Equal(got.Endpoints, want.Endpoints) {
			t.Errorf("%s sees %+v, the other side is %+v", r, got, want)
		}
		if s.done.Epoch != p.dialer.m.cfg.Epoch || s.done.Version != MaxVersion {
			t.Errorf("%s: epoch %d, version %d", r, s.done.Epoch, s.done.Version)
		}
	}
}

// mustFail checks that neither side is done and that both know the kind of the reason.
func (p *pair) mustFail(t *testing.T, refuser role, kind error) {
	t.Helper()
	for _, r := range []role{dialer, acceptor} {
		s, _ := p.side(r)
		if s.done != nil || !errors.Is(s.failed, kind) {
			t.Errorf("%s: done %v, failed: %v; want %v", r, s.done, s.failed, kind)
			continue
		}
		var refusal *Refusal
		if !errors.As(s.failed, &refusal) || refusal.Remote != (r != refuser) {
			t.Errorf("%s: %+v, want a refusal with remote=%v", r, s.failed, r != refuser)
		}
	}
}
