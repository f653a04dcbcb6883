package plugintest

import (
	"bytes"
	"context"
	"crypto/rand"
	"runtime/pprof"
	"strings"
)

// strays follows the goroutines that a plugin starts, and those that they start, by a
// label that goroutines inherit. Unlike a count it is not disturbed by other tests
// that run at the same time.
type strays struct{ label string }

// follow runs f and everything that f starts under the label of s.
func (s *strays) follow(ctx context.Context, f func()) {
	s.label = rand.Text()
	pprof.Do(ctx, pprof.Labels("plugintest", s.label), func(context.Context) { f() })
}

// left returns the stacks of the goroutines that still run, one text for those that
// stand at the same place. It must not be called from within follow.
func (s *strays) left() []string {
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		return []string{err.Error()}
	}
	var stacks []string
	for group := range strings.SplitSeq(profile.String(), "\n\n") {
		if strings.Contains(group, s.label) {
			stacks = append(stacks, group)
		}
	}
	return stacks
}
