package link_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/barrelp2p/barrel/core/block/link"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// soon is within which a released link that nobody uses is gone at both ends.
const soon = 4 * time.Second

// neverIdle is a node that closes no link because nobody has used it for long.
func neverIdle(c *link.Config) { c.IdleAfter = 0 }

func TestAReleasedLinkIsClosedSoon(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h", neverIdle), w.node("b@h", neverIdle)
		a.HandleStreams(link.Broadcast, link.Pooled, echo)
		a.HandleFrames(link.Registry, func(link.Peer, []byte) {})
		a.connect(t, b)
		a.Release(b.name)
		begin, frames := time.Now(), 0
		time.Sleep(100 * time.Millisecond)
		for range 2 { // b does not know yet that a is no neighbour any more
			s, err := b.OpenOn(t.Context(), a.name, link.Broadcast, link.Pooled)
			must(t, err)
			must(t, s.CloseWrite())
			_, err = io.ReadAll(s)
			must(t, err)
			s.Release()
		}
		for ; time.Since(begin) < soon; frames++ { // words of membership keep no link, nor do those of registries
			a.Release(b.name)
			if b.Send(a.name, link.Registry, []byte("digest")) != nil || a.Send(b.name, link.Membership, []byte("hm")) != nil {
				break
			}
			time.Sleep(300 * time.Millisecond)
		}
		synctest.Wait()
		if took := time.Since(begin); took < 2*time.Second || took >= soon {
			t.Errorf("closed after %v", took)
		}
		want(t, a, "up b@h 1", "down b@h idle")
		want(t, b, slices.Concat([]string{"up a@h 1"}, slices.Repeat([]string{"frame a@h hm"}, frames), []string{"down a@h idle"})...)
	})
}

func TestAReleasedLinkStaysWhileSomebodyNeedsIt(t *testing.T) {
	const kind = link.StreamKind(9)
	nothing := func(*testing.T, *host, *host) {}
	hold := func(_ *testing.T, from, to *host) { from.Hold(to.name, true) }
	ask := func(t *testing.T, from, to *host) { must(t, from.Reach(t.Context(), to.name)) }
	open := func(t *testing.T, from, to *host) {
		s, err := from.OpenStream(t.Context(), to.name, kind, link.Pooled)
		must(t, err)
		_, err = s.Write([]byte{1})
		must(t, err)
		t.Cleanup(func() { s.Reset(transport.CloseNone); s.Release() })
	}
	say := func(t *testing.T, from, to *host) {
		s, err := from.OpenStream(t.Context(), to.name, kind, link.Pooled)
		must(t, err)
		must(t, s.CloseWrite())
		_, err = io.ReadAll(s)
		must(t, err)
		s.Release()
	}
	flip := func(need func(*testing.T, *host, *host)) func(*testing.T, *host, *host) {
		return func(t *testing.T, a, b *host) { need(t, b, a) }
	}
	for what, need := range map[string]struct {
		before, after func(*testing.T, *host, *host)
	}{
		"held here":                  {hold, nothing},
		"held there":                 {flip(hold), nothing},
		"held again":                 {nothing, hold},
		"held there later":           {nothing, flip(hold)},
		"asked for here":             {nothing, ask},
		"a stream from here":         {open, nothing},
		"a stream from there":        {flip(open), nothing},
		"a later stream from here":   {nothing, open},
		"a later stream from there":  {nothing, flip(open)},
		"a later message from here":  {nothing, say},
		"a later message from there": {nothing, flip(say)},
	} {
		t.Run(what, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				a, b := w.node("a@h"), w.node("b@h")
				a.HandleStreams(kind, link.Pooled, echo)
				b.HandleStreams(kind, link.Pooled, echo)
				a.connect(t, b)
				need.before(t, a, b)
				a.Release(b.name)
				time.Sleep(time.Second)
				need.after(t, a, b)
				time.Sleep(time.Minute)
				want(t, a, "up b@h 1")
				want(t, b, "up a@h 1")
			})
		})
	}
}

// echo answers a stream with what it says.
func echo(_ context.Context, _ link.Peer, s *link.Stream) {
	_, _ = io.Copy(s, s) // a reset ends it too
	_ = s.CloseWrite()
}

func TestALinkIsClosedOnceBothEndsHaveReleasedIt(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		a.connect(t, b)
		b.Hold(a.name, true)
		a.Release(b.name)
		time.Sleep(30 * time.Second) // a has asked in vain, and asks rarely by now
		b.Hold(a.name, false)
		b.Release(a.name)
		time.Sleep(soon)
		want(t, a, "up b@h 1", "down b@h idle")
		want(t, b, "up a@h 1", "down a@h idle")
		a.connect(t, b)
		time.Sleep(time.Minute) // the next link has not been released
		want(t, a, "up b@h 1", "down b@h idle", "up b@h 1")
	})
}

func TestAReleasedLinkThatIsUsedAtTheLastMomentStays(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.node("b@h")
		_, dial := w.stranger("x@h", "")
		r := dial(b).handshake(b.name, 1)
		heard := r.answer()
		b.Release(r.node)
		time.Sleep(soon)
		if !slices.Contains(heard.all(), fmt.Sprintf("own x@h %d", ownSurplus)) {
			t.Fatalf("b proposed nothing: %q", heard.all())
		}
		must(t, b.Reach(t.Context(), r.node))
		r.own(ownAgreed)
		time.Sleep(time.Second / 2)
		r.own(ownSurplus) // not now
		time.Sleep(time.Minute)
		want(t, b, "up x@h 1")
		if slices.Contains(heard.all(), fmt.Sprintf("own x@h %d", ownAgreed)) {
			t.Error("b agreed to close a link that it has just used")
		}
	})
}

func TestAFloodOfProposalsIsAnsweredOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.node("b@h")
		_, dial := w.stranger("x@h", "")
		r := dial(b).handshake(b.name, 1)
		heard := r.answer()
		time.Sleep(soon)
		for range 1000 {
			r.own(ownSurplus)
		}
		synctest.Wait()
		if n := heard.count(fmt.Sprintf("own x@h %d", ownAgreed)); n != 1 {
			t.Errorf("b agreed %d times", n)
		}
		if n := len(b.cfg.Tasks.Running()); n > 10 {
			t.Errorf("b runs %d tasks for one link: %v", n, b.cfg.Tasks.Running())
		}
	})
}

func TestAPingKeepsItsLink(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.node("b@h")
		_, dial := w.stranger("x@h", "")
		r := dial(b).handshake(b.name, 1) // reads and answers nothing for now
		b.Release(r.node)
		pinged := make(chan error, 1)
		go func() {
			_, err := b.Ping(t.Context(), r.node)
			pinged <- err
		}()
		time.Sleep(soon)
		r.own(ownSurplus)
		r.own(ownAgreed)
		time.Sleep(soon)
		r.answer()
		must(t, <-pinged)
		want(t, b, "up x@h 1")
	})
}

func TestOpenOnDoesNotDial(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		b.HandleStreams(link.Broadcast, link.Pooled, echo)
		if _, err := a.OpenOn(t.Context(), b.name, link.Broadcast, link.Pooled); !errors.Is(err, link.ErrNoLink) {
			t.Errorf("without a link: %v, want %v", err, link.ErrNoLink)
		}
		synctest.Wait()
		want(t, b)
		a.connect(t, b)
		a.Hold(b.name, true)
		s, err := a.OpenOn(t.Context(), b.name, link.Broadcast, link.Pooled)
		must(t, err)
		defer s.Release()
		_, err = s.Write([]byte("to all"))
		must(t, errors.Join(err, s.CloseWrite()))
		if got, err := io.ReadAll(s); err != nil || string(got) != "to all" {
			t.Errorf("the stream echoed %q, %v", got, err)
		}
	})
}

// move is one step of a node that lets its link go and uses it.
type move struct {
	what  string
	pause time.Duration // before; in steps of the watch, so that things happen at once
}

func moves() *rapid.Generator[[]move] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) move {
		return move{
			what:  rapid.SampledFrom([]string{"release", "release", "release", "frame", "stream", "ping", "hold", "let go"}).Draw(t, "what"),
			pause: time.Duration(rapid.IntRange(0, 12).Draw(t, "pause")) * 250 * time.Millisecond,
		}
	}), 1, 25)
}

// player makes the moves of one node and notes what went wrong.
type player struct {
	at, to *host
	sent   []string
	wrong  []error
}

func (p *player) play(ctx context.Context, script []move) {
	for i, m := range script {
		time.Sleep(m.pause)
		var err error
		switch m.what {
		case "release":
			p.at.Release(p.to.name)
		case "frame":
			err = p.frame(ctx, i)
		case "stream":
			err = p.stream(ctx, i)
		case "ping":
			_, err = p.at.Ping(ctx, p.to.name)
		default:
			p.at.Hold(p.to.name, m.what == "hold")
		}
		if err != nil {
			p.wrong = append(p.wrong, fmt.Errorf("%s: move %d: %s: %w", p.at.name, i, m.what, err))
		}
	}
	p.at.Hold(p.to.name, false)
}

func (p *player) frame(ctx context.Context, i int) error {
	if err := p.at.Connect(ctx, p.to.name, nil); err != nil {
		return err
	}
	p.sent = append(p.sent, fmt.Sprintf("frame %s %d", p.at.name, i))
	return p.at.Send(p.to.name, link.Membership, fmt.Append(nil, i))
}

func (p *player) stream(ctx context.Context, i int) error {
	s, err := p.at.OpenStream(ctx, p.to.name, 9, link.Pooled)
	if err != nil {
		return err
	}
	defer s.Release()
	text := fmt.Sprint("message ", i)
	_, err = s.Write([]byte(text))
	got, failed := io.ReadAll(io.MultiReader(errorReader{errors.Join(err, s.CloseWrite())}, s))
	if failed == nil && string(got) != text {
		failed = fmt.Errorf("echoed %q, want %q", got, text)
	}
	return failed
}

// errorReader is empty, or an error.
type errorReader struct{ err error }

func (e errorReader) Read([]byte) (int, error) {
	if e.err != nil {
		return 0, e.err
	}
	return 0, io.EOF
}

func TestReleaseAndUseLoseNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		scripts := [2][]move{moves().Draw(rt, "a"), moves().Draw(rt, "b")}
		var wrong []error
		inWorld(t, func(t *testing.T, w *world) { wrong = playBoth(t, w, scripts) })
		if len(wrong) > 0 {
			rt.Fatal(errors.Join(wrong...))
		}
	})
}

// playBoth plays both scripts at the same time and returns what went wrong.
func playBoth(t *testing.T, w *world, scripts [2][]move) []error {
	t.Helper()
	a, b := w.node("a@h", neverIdle), w.node("b@h", neverIdle)
	a.HandleStreams(9, link.Pooled, echo)
	b.HandleStreams(9, link.Pooled, echo)
	players := [2]*player{{at: a, to: b}, {at: b, to: a}}
	var busy sync.WaitGroup
	for i, p := range players {
		busy.Go(func() { p.play(t.Context(), scripts[i]) })
	}
	busy.Wait()
	a.Release(b.name)
	b.Release(a.name)
	time.Sleep(2 * soon)
	wrong := slices.Concat(a.wrong(b), b.wrong(a))
	for _, p := range players {
		wrong = append(wrong, p.wrong...)
		if got := lines(p.to, "frame"); !slices.Equal(got, p.sent) {
			wrong = append(wrong, fmt.Errorf("%s sent %q, and %q came", p.at.name, p.sent, got))
		}
	}
	return wrong
}

// wrong is what a node should not have heard of its link to another, all of which have
// been closed by now.
func (h *host) wrong(to *host) []error {
	var wrong []error
	for _, line := range lines(h, "down") {
		if line != fmt.Sprintf("down %s idle", to.name) {
			wrong = append(wrong, fmt.Errorf("%s heard %q", h.name, line))
		}
	}
	if links := h.List(); len(links) > 0 {
		wrong = append(wrong, fmt.Errorf("%s still has %d links", h.name, len(links)))
	}
	return wrong
}
