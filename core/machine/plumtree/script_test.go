package plumtree

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// TestScripts plays testdata/*.txt: lines that begin in the first column are commands,
// indented ones are what happens. BARREL_UPDATE=1 writes what came.
//
//	link a b         a and b become neighbours      cut a b       and are none any more
//	say a            a broadcasts                   slow a b      a's link to b is full
//	fast a b         it has room again              lose graft 2  the next two are lost
//	run 1s           time passes                    edges         the tree
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { playFile(t, file) })
	}
}

func playFile(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := play(t, string(text))
	switch {
	case got == string(text):
	case os.Getenv("BARREL_UPDATE") == "":
		t.Fatalf("%s: it came otherwise:\n%s", file, got)
	default:
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// stage is a few machines; messages take 10 ms.
type stage struct {
	t       *testing.T
	trace   strings.Builder
	now     overlay.Time
	actors  []*Machine // by peer
	pending []pending
	lose    map[string]int
}

// pending is something that will happen.
type pending struct {
	at       overlay.Time
	to, from overlay.Peer
	msg      *Message
	timer    overlay.Timer
}

const latency = 10 * time.Millisecond

func play(t *testing.T, script string) string {
	s := &stage{t: t, actors: make([]*Machine, 27), lose: map[string]int{}}
	for p := range s.actors {
		s.actors[p] = New(Defaults(), uint64(p), 1)
	}
	for line := range strings.Lines(script) {
		if strings.HasPrefix(line, " ") {
			continue
		}
		s.trace.WriteString(line)
		if words := strings.Fields(line); len(words) > 0 && words[0] != "#" {
			s.command(words[0], words[1:])
		}
	}
	return s.trace.String()
}

func peer(name string) overlay.Peer { return overlay.Peer(name[0] - 'a' + 1) }
func name(p overlay.Peer) string    { return string(rune('a' + p - 1)) }

func (s *stage) command(verb string, args []string) {
	switch verb {
	case "link":
		s.both(overlay.InLinkUp, peer(args[0]), peer(args[1]))
	case "cut":
		s.both(overlay.InLinkDown, peer(args[0]), peer(args[1]))
	case "say":
		s.do(peer(args[0]), overlay.Command{Op: overlay.OpBroadcast, Data: []byte("x")})
	case "slow":
		s.do(peer(args[0]), overlay.Command{Op: overlay.OpSlow, Peer: peer(args[1])})
	case "fast":
		s.do(peer(args[0]), overlay.Command{Op: overlay.OpFast, Peer: peer(args[1])})
	case "lose":
		s.lose[strings.ToUpper(args[0])] = int(args[1][0] - '0')
	case "edges":
		s.edges()
	case "run":
		d, err := time.ParseDuration(args[0])
		if err != nil {
			s.t.Fatal(err)
		}
		s.run(s.now + d)
	default:
		s.t.Fatalf("unknown command %q", verb)
	}
}

func (s *stage) both(k overlay.InKind, a, b overlay.Peer) {
	s.step(a, overlay.Input[Message]{Kind: k, Peer: b})
	s.step(b, overlay.Input[Message]{Kind: k, Peer: a})
}

func (s *stage) do(p overlay.Peer, c overlay.Command) {
	s.step(p, overlay.Input[Message]{Kind: overlay.InCommand, Cmd: c})
}

func (s *stage) print(format string, args ...any) {
	fmt.Fprintf(&s.trace, "  %8.3fs ", s.now.Seconds())
	fmt.Fprintf(&s.trace, format+"\n", args...)
}

func (s *stage) step(p overlay.Peer, in overlay.Input[Message]) {
	var out overlay.Effects[Message]
	s.actors[p].Step(s.now, &in, &out)
	if err := s.actors[p].Check(); err != nil {
		s.t.Fatal(err)
	}
	for _, e := range out.Events {
		s.print("%s: delivered in round %d", name(p), e.Round)
	}
	for i := range out.Sends {
		s.send(p, &out.Sends[i])
	}
	for _, a := range out.Timers {
		s.pending = append(s.pending, pending{at: a.At, to: p, timer: a.Timer})
	}
}

func (s *stage) send(p overlay.Peer, send *overlay.Send[Message]) {
	m, lost := &send.Msg, ""
	if s.lose[m.Kind.String()] > 0 {
		s.lose[m.Kind.String()]--
		lost = " (lost)"
	}
	what := fmt.Sprintf("%s to %s", m.Kind, name(send.To))
	for _, a := range m.List {
		what += fmt.Sprintf(" %s/%d", name(overlay.Peer(a.ID.Origin)), a.ID.Seq)
	}
	s.print("%s: %s%s", name(p), what, lost)
	if lost == "" {
		s.pending = append(s.pending, pending{at: s.now + latency, to: send.To, from: p, msg: m})
	}
}

func (s *stage) run(until overlay.Time) {
	for {
		slices.SortStableFunc(s.pending, func(a, b pending) int { return int(a.at - b.at) })
		if len(s.pending) == 0 || s.pending[0].at > until {
			break
		}
		next := s.pending[0]
		s.pending = s.pending[1:]
		s.now = max(s.now, next.at)
		if next.msg != nil {
			s.step(next.to, overlay.Input[Message]{Kind: overlay.InMsg, Peer: next.from, Msg: *next.msg})
		} else {
			s.step(next.to, overlay.Input[Message]{Kind: overlay.InTimer, Timer: next.timer})
		}
	}
	s.now = until
}

func (s *stage) edges() {
	for p, m := range s.actors {
		for _, q := range m.Eager() {
			if int(q) > p || !slices.Contains(s.actors[q].Eager(), overlay.Peer(p)) {
				s.print("%s-%s", name(overlay.Peer(p)), name(q))
			}
		}
	}
}
