package core

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A stranger decides how often some lines are logged, so there is a bound, and what
// was left out is told.
func TestLimitedLogTellsWhatItLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := limited(slog.New(slog.NewTextHandler(&out, nil))).With("part", "trust").WithGroup("g")
		for range 1000 {
			log.Warn("refused")
		}
		if lines := strings.Count(out.String(), "\n"); lines != logBurst {
			t.Errorf("%d lines of 1000, want %d", lines, logBurst)
		}
		out.Reset()
		time.Sleep(time.Minute)
		log.Warn("refused")
		if !strings.Contains(out.String(), "suppressed=900") || !strings.Contains(out.String(), "part=trust") {
			t.Errorf("after the storm: %q", out.String())
		}
	})
}
