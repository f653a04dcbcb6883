package external

import (
	"io"
	"regexp"
	"sync"
)

// maxGreeting is how long the line of the greeting may be, in bytes. It has a
// certificate in it.
const maxGreeting = 8 << 10

// greeting finds the one line of stdout with which a plugin says where its socket is,
// among whatever else it, its language or its libraries print.
type greeting struct {
	r      *io.PipeReader
	w      *io.PipeWriter
	form   *regexp.Regexp
	taken  bool
	once   sync.Once
	passed sync.WaitGroup
}

func newGreeting() *greeting {
	r, w := io.Pipe()
	return &greeting{r: r, w: w, form: regexp.MustCompile(`^\d{1,6}\|\d{1,6}\|\w+\|[^|]+\|\w+(\|[^|]*)*$`)}
}

// take keeps the line if it is the greeting. Only the reader of stdout calls it.
func (g *greeting) take(line string) bool {
	if g.taken || len(line) > maxGreeting || !g.form.MatchString(line) {
		return false
	}
	g.taken = true
	g.passed.Go(func() {
		_, _ = io.WriteString(g.w, line+"\n")
		g.close()
	})
	return true
}

// end tells a reader that no greeting will come.
func (g *greeting) end() {
	g.close()
	g.passed.Wait()
}

func (g *greeting) close() { g.once.Do(func() { _ = g.w.Close() }) }
