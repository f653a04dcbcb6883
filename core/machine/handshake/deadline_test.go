package handshake

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// Whatever the peer does, the deadline stays where it was set.
func TestDeadlineStands(t *testing.T) {
	const start = 100 * second
	m, peer := New(acceptorConfig(), start), New(dialerConfig(), start)
	var out, sends Effects
	m.Step(start, Input{Kind: Start}, &out)
	peer.Step(start, Input{Kind: Start}, &sends)
	for now := start + 4*second; now < start+10*second; now += 4 * second {
		m.Step(now, Input{Kind: Tick}, &out)
		m.Step(now, Input{Kind: Frame, Frame: sends.Send[0]}, &out)
		if out.Failed != nil || out.Deadline != start+10*second {
			t.Fatalf("at %s: deadline %s, failed: %v", now, out.Deadline, out.Failed)
		}
		if len(out.Send) > 0 {
			peer.Step(now, Input{Kind: Frame, Frame: out.Send[0]}, &sends)
		}
	}
	if out.Ask == nil {
		t.Fatal("trust is not asked")
	}
	m.Step(start+10*second, Input{Kind: Verdict}, &out)
	mustTimeOut(t, &out)
}

// Each input at the deadline ends the handshake, and the peer is told.
func TestDeadlineEndsEachWait(t *testing.T) {
	for kind, in := range map[string]Input{
		"tick":    {Kind: Tick},
		"frame":   {Kind: Frame, Frame: firstHello(t)},
		"verdict": {Kind: Verdict},
		"broken":  {Kind: Broken, Err: io.EOF},
	} {
		t.Run(kind, func(t *testing.T) {
			m := New(acceptorConfig(), 0)
			var out Effects
			m.Step(0, Input{Kind: Start}, &out)
			m.Step(10*second-1, Input{Kind: Tick}, &out)
			if out.Failed != nil || out.Deadline != 10*second {
				t.Fatalf("before the deadline: %+v", out)
			}
			m.Step(10*second, in, &out)
			mustTimeOut(t, &out)
		})
	}
}

func mustTimeOut(t *testing.T, out *Effects) {
	t.Helper()
	if !errors.Is(out.Failed, ErrTimeout) || out.Done != nil || out.Deadline != 0 {
		t.Fatalf("effects %+v", out)
	}
	told, bad := readRefuse(out.Send[0])
	if bad != nil || told.Code != CodeTimeout || !strings.Contains(told.Text, "10s passed") {
		t.Errorf("told %+v, %v", told, bad)
	}
}

// The time a handshake takes does not count as clock skew.
func TestSkewCountsFromNow(t *testing.T) {
	d := dialerConfig()
	d.Skew, d.Timeout = second, time.Hour
	a := acceptorConfig()
	a.Skew = second
	a.Wall = d.Wall.Add(20 * time.Minute)
	p := newPair(d, a)
	p.acceptor.m = New(a, 20*time.Minute)
	p.now = 20 * time.Minute
	p.step(acceptor, Input{Kind: Start})
	p.step(dialer, Input{Kind: Start})
	p.mustSucceed(t, Signed)
}

func TestSkewIsInclusive(t *testing.T) {
	for _, off := range []time.Duration{-30 * second, 30 * second} {
		d, a := dialerConfig(), acceptorConfig()
		d.Wall = a.Wall.Add(off)
		newPair(d, a).run().mustSucceed(t, Signed)
	}
}

// Nothing happens any more after the end.
func TestOverIsOver(t *testing.T) {
	p := newPair(dialerConfig(), acceptorConfig()).run()
	var out Effects
	for _, in := range []Input{{Kind: Start}, {Kind: Frame, Frame: firstHello(t)}, {Kind: Tick}, {Kind: Verdict}, {Kind: Broken, Err: io.EOF}} {
		p.acceptor.m.Step(time.Hour, in, &out)
		if len(out.Send) != 0 || out.Ask != nil || out.Done != nil || out.Failed != nil || out.Deadline != 0 {
			t.Errorf("input %d: effects %+v", in.Kind, out)
		}
	}
}

// A verdict that nobody asked for accepts nobody.
func TestStrayVerdict(t *testing.T) {
	for _, steps := range [][]Input{
		{{Kind: Verdict}},
		{{Kind: Start}, {Kind: Verdict}, {Kind: Verdict}},
		{{Kind: Start}, {Kind: Frame, Frame: firstHello(t)}, {Kind: Verdict}},
	} {
		m := New(acceptorConfig(), 0)
		var out Effects
		for _, in := range steps {
			m.Step(0, in, &out)
		}
		if len(out.Send) != 0 || out.Done != nil || out.Failed != nil {
			t.Errorf("effects %+v", out)
		}
	}
}

// While trust is asked the peer has nothing to say but a refusal.
func TestFrameWhileDeciding(t *testing.T) {
	frames := newPair(dialerConfig(), acceptorConfig()).run().dialer.sent
	for _, c := range []struct {
		body []byte
		want error
	}{
		{frames[2], ErrUnexpected},
		{encodeRefuse(CodeTimeout, "too slow"), ErrTimeout},
	} {
		m := New(acceptorConfig(), 0)
		var out Effects
		m.Step(0, Input{Kind: Start}, &out)
		m.Step(0, Input{Kind: Frame, Frame: frames[0]}, &out)
		m.Step(0, Input{Kind: Frame, Frame: frames[1]}, &out)
		if claimed, ok := m.Claimed(); out.Ask == nil || !ok || claimed.Node != out.Ask.Node {
			t.Fatalf("effects %+v, claimed %+v", out, claimed)
		}
		m.Step(0, Input{Kind: Frame, Frame: c.body}, &out)
		if !errors.Is(out.Failed, c.want) {
			t.Errorf("failed: %v, want %v", out.Failed, c.want)
		}
	}
}

func TestReadFrame(t *testing.T) {
	framed := AppendFrame(AppendFrame(nil, []byte("first")), nil)
	r := iotest.OneByteReader(bytes.NewReader(append(framed, "rest"...)))
	for _, want := range []string{"first", ""} {
		if got, err := ReadFrame(r); err != nil || string(got) != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	if rest, _ := io.ReadAll(r); string(rest) != "rest" {
		t.Errorf("%q is left", rest)
	}
}

func TestReadFrameErrors(t *testing.T) {
	for in, want := range map[string]error{
		"":                 io.EOF,
		"\x00":             io.ErrUnexpectedEOF,
		"\x00\x05":         io.ErrUnexpectedEOF,
		"\x00\x05abc":      io.ErrUnexpectedEOF,
		"\x08\x01":         ErrOversized,
		"\xff\xffanything": ErrOversized,
	} {
		if _, err := ReadFrame(strings.NewReader(in)); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", in, err, want)
		}
	}
	largest := AppendFrame(nil, make([]byte, MaxFrame))
	if body, err := ReadFrame(bytes.NewReader(largest)); err != nil || len(body) != MaxFrame {
		t.Errorf("largest frame: %d bytes, %v", len(body), err)
	}
}

func TestOversizedFrameIsRefused(t *testing.T) {
	m := New(acceptorConfig(), 0)
	var out Effects
	m.Step(0, Input{Kind: Start}, &out)
	m.Step(0, Input{Kind: Frame, Frame: make([]byte, MaxFrame+1)}, &out)
	if !errors.Is(out.Failed, ErrOversized) {
		t.Errorf("failed: %v", out.Failed)
	}
}
