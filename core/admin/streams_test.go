package admin

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestStreamsOverTheSocket(t *testing.T) {
	_, _, client := startServer(t, quiet())
	var out bytes.Buffer
	long := strings.Repeat("both ways at once ", 100_000)
	if err := client.OpenStream(within(t), "t", nodeNamed("b"), strings.NewReader(long), &out); err != nil || out.String() != long {
		t.Errorf("%d bytes of %d came back, %v", out.Len(), len(long), err)
	}
	for tag, want := range map[string]Kind{"": KindUsage, "broken": KindNotFound} {
		if err := client.OpenStream(within(t), tag, nodeNamed("b"), strings.NewReader("x"), io.Discard); KindOf(err) != want {
			t.Errorf("tag %q: %v, want %s", tag, err, want)
		}
	}
	listening := false
	out.Reset()
	if err := client.AcceptStream(within(t), "t", strings.NewReader("hi"), &out, func() { listening = true }); err != nil || out.String() != "hi" || !listening {
		t.Errorf("listened: %v, got %q, %v", listening, out.String(), err)
	}
	ctx, cancel := context.WithCancel(within(t))
	if err := client.AcceptStream(ctx, "never", strings.NewReader(""), io.Discard, cancel); !errors.Is(err, context.Canceled) {
		t.Errorf("a listener that is interrupted: %v", err)
	}
	if s, err := client.Streams(within(t)); err != nil || s.Refused != 3 || s.Streams == nil || s.Tags == nil {
		t.Errorf("streams %+v, %v", s, err)
	}
	if m, err := client.Migrate(within(t), nodeNamed("b")); err != nil || !m.Redialed {
		t.Errorf("migrated %+v, %v", m, err)
	}
	if _, err := client.Migrate(within(t), nodeNamed("far")); KindOf(err) != KindNotFound {
		t.Errorf("without a link: %v", err)
	}
}

// Why a stream has ended is told whatever is still to be sent: a little, more than there
// is room for, or what somebody has yet to type.
func TestTheEndOfAStreamIsToldBeforeItsInput(t *testing.T) {
	_, _, client := startServer(t, quiet())
	keyboard, typist := io.Pipe()
	t.Cleanup(func() { _ = typist.Close() })
	for round := range 10 {
		for what, in := range map[string]func() io.Reader{
			"little":   func() io.Reader { return strings.NewReader("x") },
			"much":     func() io.Reader { return strings.NewReader(strings.Repeat("x", 1<<20)) },
			"keyboard": func() io.Reader { return keyboard },
		} {
			for tag, want := range map[string]Kind{"": KindUsage, "refused": KindNotFound} {
				if err := client.OpenStream(within(t), tag, nodeNamed("b"), in(), io.Discard); KindOf(err) != want {
					t.Fatalf("round %d, %s, tag %q: %v, want %s", round, what, tag, err, want)
				}
			}
		}
	}
}

func TestInputThatCannotBeRead(t *testing.T) {
	_, _, client := startServer(t, quiet())
	torn := errors.New("torn")
	if err := client.OpenStream(within(t), "t", nodeNamed("b"), iotest.ErrReader(torn), io.Discard); !errors.Is(err, torn) {
		t.Errorf("got %v", err)
	}
}
