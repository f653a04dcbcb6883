package external

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// A plugin that floods the log costs the node little more than the reading, also where
// each line would be a lot to read; and its last words are read all the same.
func TestLinesOverTheLimitAreCheap(t *testing.T) {
	o := newOutput(slog.New(slog.DiscardHandler))
	now := time.Now()
	o.now = func() time.Time { return now }
	line := []byte(`{"@message":"flood"` + strings.Repeat(`,"k":[1,2,3]`, 300) + `}`)
	for range lineBurst {
		o.say("stderr", line)
	}
	if n := testing.AllocsPerRun(100, func() { o.say("stderr", line) }); n > 3 {
		t.Errorf("a line over the limit takes %v allocations", n)
	}
	o.say("stderr", []byte(`{"@level":"error","@message":"out of nodes\n","left":0}`))
	o.say("stderr", []byte("\x1b[31mbye"))
	kept := o.last()
	if got, want := fmt.Sprintf("%q", kept[len(kept)-2:]), fmt.Sprintf("%q", []string{"out of nodes⏎ left=0", "\uFFFD[31mbye"}); got != want {
		t.Errorf("last words %s, want %s", got, want)
	}
}
