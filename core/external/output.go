package external

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
)

// The bounds on what a process may say.
const (
	maxLine   = 8 << 10          // bytes of one line; the rest is left out
	keptLines = 200              // that stand in the error when it ends
	keptLine  = 1 << 10          // bytes of each of them
	maxFields = 32               // of one JSON line
	lineBurst = 200              // lines that are logged at once
	lineEvery = time.Second / 20 // and how often another one may follow
)

// output is what a process says: it goes to the log, within bounds, and the last lines
// are kept.
type output struct {
	log *slog.Logger
	now func() time.Time

	mu      sync.Mutex
	lines   []kept // a ring of keptLines
	next    int
	room    float64 // lines that may still be logged
	filled  time.Time
	dropped int
}

func newOutput(log *slog.Logger) *output {
	return &output{log: log, now: time.Now, room: lineBurst}
}

// read reads lines until the end. take is asked first and may keep a line to itself.
func (o *output) read(stream string, from io.Reader, take func(string) bool) {
	reader := bufio.NewReaderSize(from, maxGreeting+2)
	for {
		line, err := readLine(reader)
		if len(line) > 0 && (take == nil || !take(string(line))) {
			o.say(stream, line)
		}
		if err != nil {
			return
		}
	}
}

// readLine returns one line without its end, cut to the size of the buffer.
func readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	line = bytes.Clone(bytes.TrimRight(line, "\r\n"))
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = r.ReadSlice('\n')
	}
	return line, err
}

// Writer is a stream of lines that does not come from a pipe of ours.
func (o *output) writer(stream string) io.Writer { return &lineWriter{output: o, stream: stream} }

type lineWriter struct {
	output *output
	stream string
	part   []byte
}

// Write logs the lines that are complete; a line that is too long is one that is cut.
func (w *lineWriter) Write(p []byte) (int, error) {
	n := len(p)
	for {
		line, rest, found := bytes.Cut(p, []byte{'\n'})
		w.part = append(w.part, line[:min(len(line), maxLine-len(w.part))]...)
		if !found {
			return n, nil
		}
		if len(w.part) > 0 {
			w.output.say(w.stream, w.part)
		}
		w.part, p = w.part[:0], rest
	}
}

// kept is a line that is kept. One over the limit is read when it is wanted only: to
// read it takes much longer than to write it.
type kept struct {
	text string
	raw  bool
}

func (k kept) line() string {
	if k.raw {
		entry := parseLine([]byte(k.text))
		return clip(entry.line(), keptLine)
	}
	return k.text
}

// last is the lines that are kept, the oldest first.
func (o *output) last() []string {
	o.mu.Lock()
	ring := slices.Concat(o.lines[o.next:], o.lines[:o.next])
	o.mu.Unlock()
	lines := make([]string, len(ring))
	for i, k := range ring {
		lines[i] = k.line()
	}
	return lines
}

func (o *output) say(stream string, raw []byte) {
	raw = raw[:min(len(raw), maxLine)]
	dropped, allowed := o.admit()
	if !allowed {
		o.keep(kept{text: string(raw[:min(len(raw), keptLine)]), raw: true})
		return
	}
	entry := parseLine(raw)
	o.keep(kept{text: clip(entry.line(), keptLine)})
	if !o.log.Enabled(context.Background(), entry.level) {
		return
	}
	attrs := append([]slog.Attr{slog.String("stream", stream)}, entry.fields...)
	if dropped > 0 {
		attrs = append(attrs, slog.Int("lines_left_out", dropped))
	}
	o.log.LogAttrs(context.Background(), entry.level, entry.message, attrs...) //nolint:sloglint // the words are those of the plugin
}

// keep puts a line into the ring.
func (o *output) keep(line kept) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.lines) < keptLines {
		o.lines = append(o.lines, line)
		return
	}
	o.lines[o.next] = line
	o.next = (o.next + 1) % keptLines
}

// admit says whether a line may be logged, and how many before it were not.
func (o *output) admit() (dropped int, allowed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.now()
	o.room = min(lineBurst, o.room+float64(now.Sub(o.filled))/float64(lineEvery))
	o.filled = now
	if o.room < 1 {
		o.dropped++
		return 0, false
	}
	o.room--
	dropped, o.dropped = o.dropped, 0
	return dropped, true
}

// entry is one line of a process, read.
type entry struct {
	level   slog.Level
	message string
	fields  []slog.Attr
}

// line is the entry as it is kept.
func (e entry) line() string {
	text := e.message
	for _, f := range e.fields {
		text += " " + f.Key + "=" + f.Value.String()
	}
	return text
}

// parseLine reads a JSON line with @level and @message, as hclog writes them; every
// other line is its own message. Nothing in it is believed to be of any type.
func parseLine(raw []byte) entry {
	plain := entry{level: slog.LevelInfo, message: clean(string(raw))}
	var fields map[string]any
	if len(raw) == 0 || raw[0] != '{' || json.Unmarshal(raw, &fields) != nil {
		return plain
	}
	message, ok := fields["@message"].(string)
	if !ok {
		return plain
	}
	level, _ := fields["@level"].(string)
	e := entry{level: levelOf(level), message: clean(message)}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		if !strings.HasPrefix(key, "@") && len(e.fields) < maxFields {
			e.fields = append(e.fields, slog.String(clean(clip(key, 64)), clean(fmt.Sprint(fields[key]))))
		}
	}
	return e
}

func levelOf(word string) slog.Level {
	switch word {
	case "trace", "debug":
		return slog.LevelDebug
	case "warn":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	}
	return slog.LevelInfo
}

// clean keeps a text on its line and away from the terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return '⏎'
		case r == '\t':
			return ' '
		case unicode.IsControl(r) || r == unicode.ReplacementChar:
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
