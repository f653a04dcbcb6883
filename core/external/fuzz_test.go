package external

import (
	"bytes"
	"io"
	"log/slog"
	"strings"
	"testing"
	"unicode"
)

// Whatever a process writes is lines of bounded length without controls.
func FuzzOutput(f *testing.F) {
	var odd bytes.Buffer
	hostile(&odd)
	f.Add(odd.Bytes(), 3)
	f.Add([]byte(`{"@level":"error","@message":"m","k":{"a":[1,2]}}`+"\n"), 1)
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		book := &logBook{}
		o := newOutput(slog.New(slog.NewTextHandler(book, &slog.HandlerOptions{Level: slog.LevelDebug})))
		o.read("stderr", bytes.NewReader(text), newGreeting().take)
		w := o.writer("stdout")
		for chunk := text; len(chunk) > 0; {
			n := min(len(chunk), max(1, cut))
			_, _ = w.Write(chunk[:n])
			chunk = chunk[n:]
		}
		for _, line := range o.last() {
			if len(line) > keptLine+3 || strings.ContainsFunc(line, unicode.IsControl) {
				t.Fatalf("kept %q", line)
			}
		}
		if strings.ContainsAny(book.String(), "\x00\x1b") {
			t.Fatalf("logged %q", book.String())
		}
	})
}

// Among whatever is printed, at most one line is the greeting.
func FuzzGreeting(f *testing.F) {
	f.Add("hello\n1|1|unix|/tmp/x|grpc|abc\n1|1|unix|/tmp/y|grpc\n")
	f.Fuzz(func(t *testing.T, text string) {
		g := newGreeting()
		got := make(chan string, 1)
		go func() {
			all, _ := io.ReadAll(g.r)
			got <- string(all)
		}()
		for line := range strings.Lines(text) {
			g.take(strings.TrimRight(line, "\r\n"))
		}
		g.end()
		line := <-got
		if strings.Count(line, "\n") > 1 || line != "" && strings.Count(line, "|") < 4 {
			t.Fatalf("greeting %q", line)
		}
	})
}
