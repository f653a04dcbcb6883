package main

import (
	"bytes"
	"testing"
	"time"
)

func TestShortDurations(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second:                    "0s",
		0:                               "0s",
		812345:                          "812µs",
		1234 * time.Microsecond:         "1.2ms",
		999 * time.Millisecond:          "999ms",
		1250 * time.Millisecond:         "1.3s",
		75 * time.Second:                "1m15s",
		10 * time.Minute:                "10m",
		time.Hour + 30*time.Minute:      "1h30m",
		20 * time.Hour:                  "20h",
		50*time.Hour + 10*time.Minute:   "2d2h",
		400*24*time.Hour + 59*time.Hour: "402d11h",
	} {
		if got := short(d); got != want {
			t.Errorf("short(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestSizes(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 5 << 20: "5.0 MiB", 1 << 63: "8.0 EiB",
	} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestCleanKeepsTheTerminalSafe(t *testing.T) {
	for text, want := range map[string]string{
		"plain, ünïcode": "plain, ünïcode",
		"two\nlines":     "two\nlines",
		"\x1b[2J":        `\x1b[2J`,
		"bell\a":         `bell\a`,
		"bad\xff":        `bad\xff`,
		"right\u202eto":  `right\u202eto`,
	} {
		if got := clean(text); got != want {
			t.Errorf("clean(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestTableIsOneRowALine(t *testing.T) {
	var out bytes.Buffer
	a := &app{stdout: &out}
	if err := a.table([][]string{{"A", "B"}, {"x\ty", ""}, {"two\nlines", "z"}}); err != nil {
		t.Fatal(err)
	}
	if want := "A           B\nx\\ty\ntwo\\nlines  z\n"; out.String() != want {
		t.Errorf("got\n%q, want\n%q", out.String(), want)
	}
}

func TestColourOnlyForATerminalThatWantsIt(t *testing.T) {
	for _, c := range []struct {
		terminal bool
		environ  []string
		want     string
	}{
		{true, nil, "\x1b[31mx\x1b[0m"},
		{false, nil, "x"},
		{true, []string{"NO_COLOR=1"}, "x"},
		{true, []string{"NO_COLOR="}, "\x1b[31mx\x1b[0m"},
		{true, []string{"TERM=dumb"}, "x"},
	} {
		a := &app{terminal: c.terminal, environ: c.environ}
		if got := a.paint().bad("x"); got != c.want {
			t.Errorf("terminal %v, %v: %q", c.terminal, c.environ, got)
		}
	}
}
