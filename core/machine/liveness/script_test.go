package liveness

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// TestScripts plays testdata/*.txt at one node: node 1 in life 5, which knows 2 to 9 in
// life 1. Lines that begin in the first column are commands, indented ones are what it
// says and finds out. BARREL_UPDATE=1 writes what came.
//
//	link 2 1          a link to life 1 of 2       lost 2 1         it falls without a word
//	accuse 3 7 1 0    3 accuses 7 at stamp 1.0    alive 7 1 1      7 says that it lives, at 1.1
//	left 7 1 0        7 says good-bye             pong 2           2 answers
//	count 3 4         their counters step from now on
//	run 5s            time passes                 members          the table
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(text))
			if got != string(text) && os.Getenv("BARREL_UPDATE") == "" {
				t.Fatalf("it came otherwise:\n%s", got)
			}
			if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// stage is a bench with a trace.
type stage struct {
	*bench
	trace  strings.Builder
	living []overlay.Peer
}

func play(t *testing.T, script string) string {
	s := &stage{bench: newBench(t, 0, nil)}
	s.look = s.print
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

func (s *stage) command(verb string, args []string) {
	n := make([]uint64, 5)
	for i, word := range args {
		_, _ = fmt.Sscan(word, &n[i%5])
	}
	p := overlay.Peer(n[0])
	switch verb {
	case "link":
		s.step(overlay.Input[Message]{Kind: overlay.InLinkUp, Peer: p, Inc: n[1]})
	case "lost":
		s.step(overlay.Input[Message]{Kind: overlay.InLinkDown, Peer: p, Inc: n[1], Reason: overlay.Silent})
	case "accuse":
		s.accuse(p, overlay.Peer(n[1]), n[2], uint32(n[3]))
	case "alive":
		s.hear(overlay.Nobody, Message{Kind: Announce, Entries: []Entry{{Peer: p, State: Alive, Inc: n[1], Ref: uint32(n[2])}}})
	case "left":
		s.hear(overlay.Nobody, Message{Kind: Announce, Entries: []Entry{{Peer: p, State: Left, Inc: n[1], Ref: uint32(n[2])}}})
	case "pong":
		s.hear(p, Message{Kind: Pong})
	case "count":
		s.living = nil
		for _, word := range args {
			s.living = append(s.living, overlay.Peer(word[0]-'0'))
		}
	case "run":
		d, err := time.ParseDuration(args[0])
		if err != nil {
			s.t.Fatal(err)
		}
		s.wait(d, s.living...)
	case "members":
		s.m.Members(func(m Member) { fmt.Fprintf(&s.trace, "  %d/%d %s\n", m.Peer, m.Inc, m.State) })
	default:
		s.t.Fatalf("unknown command %q", verb)
	}
}

// print writes what a step came to, but for the everyday.
func (s *stage) print() {
	for _, e := range s.out.Events {
		fmt.Fprintf(&s.trace, "  %6.1fs %s %d/%d\n", s.now.Seconds(), word(e.Kind), e.Peer, e.Inc)
	}
	for _, send := range s.out.Sends {
		switch send.Msg.Kind {
		case Counters, Compare, Differ, Stale:
			continue
		}
		to := fmt.Sprint("to ", send.To)
		if send.To == Everybody {
			to = "to all"
		}
		fmt.Fprintf(&s.trace, "  %6.1fs %s %s", s.now.Seconds(), send.Msg.Kind, to)
		for _, e := range send.Msg.Entries {
			fmt.Fprintf(&s.trace, " %d/%d.%d", e.Peer, e.Inc, e.Ref)
		}
		s.trace.WriteString("\n")
	}
}

func word(k overlay.EventKind) string {
	switch k {
	case overlay.MemberUp:
		return "MEMBER UP"
	case overlay.MemberSuspect:
		return "MEMBER SUSPECT"
	case overlay.MemberDown:
		return "MEMBER DOWN"
	case overlay.MemberLeft:
		return "MEMBER LEFT"
	case overlay.Partitioned:
		return "PARTITIONED"
	case overlay.Healed:
		return "HEALED"
	}
	return "?"
}
