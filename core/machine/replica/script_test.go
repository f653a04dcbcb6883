package replica

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/antientropy"
	"github.com/barrelp2p/barrel/core/machine/ownerlog"
)

// TestScripts plays testdata/*.txt: lines that begin in the first column are commands,
// indented ones are what happens. BARREL_UPDATE=1 writes what came. All nodes know from
// the beginning that all are alive.
//
//	nodes 3          n0, n1 and n2            link 0 1        become neighbours
//	unlink 0 1       are none any more        put 0 key       node 0 writes an entry
//	remove 0 key     and takes it back        lose            broadcasts are lost from now on
//	carry            and no more              find 0 key      node 0 asks for what it does not see
//	down 0 1         n0 takes n1 for dead     up 0 1          and for alive again
//	restart 1        a new life               quiet           do not show comparisons
//	run 1s           time passes              views           who sees what
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
			switch {
			case got == string(text):
			case os.Getenv("BARREL_UPDATE") == "":
				t.Fatalf("%s: it came otherwise:\n%s", file, got)
			default:
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

type stage struct {
	*world
	trace strings.Builder
	quiet bool
}

func play(t *testing.T, script string) string {
	s := &stage{}
	for line := range strings.Lines(script) {
		if strings.HasPrefix(line, " ") {
			continue
		}
		s.trace.WriteString(line)
		if words := strings.Fields(line); len(words) > 0 && words[0] != "#" {
			s.command(t, words[0], words[1:])
		}
	}
	return s.trace.String()
}

func (s *stage) say(format string, args ...any) {
	fmt.Fprintf(&s.trace, "    %7.3fs %s\n", s.now.Seconds(), fmt.Sprintf(format, args...))
}

func (s *stage) command(t *testing.T, command string, args []string) {
	number := func(i int) int { n, _ := strconv.Atoi(args[i]); return n }
	switch command {
	case "nodes":
		s.world = newWorld(t.Fatalf, number(0), 7)
		s.tell = s.told
		s.run(2 * time.Second)
	case "link":
		s.link(number(0), number(1))
	case "unlink":
		s.unlink(number(0), number(1))
	case "put", "remove":
		s.write(number(0), args[1], command == "remove")
	case "lose", "carry":
		s.loss = map[string]float64{"lose": 1, "carry": 0}[command]
	case "find":
		s.step(number(0), Input{Kind: Find, Text: args[1]})
	case "down":
		s.step(number(0), Input{Kind: MemberEnd, Node: node(number(1)), Inc: s.incs[number(1)], Text: "silent"})
	case "up":
		s.step(number(0), Input{Kind: MemberUp, Node: node(number(1)), Inc: s.incs[number(1)]})
	case "restart":
		s.stop(number(0))
		s.start(number(0))
	case "quiet":
		s.quiet = true
	case "run":
		d, err := time.ParseDuration(args[0])
		if err != nil {
			t.Fatal(err)
		}
		s.run(s.now + d)
	case "views":
		s.views()
	default:
		t.Fatalf("no command %q", command)
	}
}

func (s *stage) views() {
	for _, l := range s.lives {
		s.say("n%d sees %d", l.id, len(l.view))
	}
}

// told shows what a node does.
func (s *stage) told(l *life, out *Effects) {
	words := [...]string{ownerlog.Added: "added", ownerlog.Updated: "updated", ownerlog.Removed: "removed", ownerlog.Hidden: "hidden"}
	for _, c := range out.Changes {
		s.say("n%d: %s %s of %s/%d %s", l.id, words[c.Kind], c.Key, c.Owner.Base(), c.Inc, c.Reason)
	}
	for _, data := range out.Broadcasts {
		b, _ := ownerlog.DecodeBatch(data)
		s.say("n%d: BATCH %d of %d operations to all", l.id, b.Head.Seq, len(b.Ops))
	}
	for _, send := range out.Sends {
		if text := describe(send.Data); !s.quiet || !antientropy.Is(send.Data) {
			s.say("n%d: %s to %s", l.id, text, send.To.Base())
		}
	}
	for _, subject := range out.Found {
		s.say("n%d: search for %s is over", l.id, subject)
	}
}

func describe(frame []byte) string {
	if m, err := antientropy.Decode(frame); err == nil {
		return fmt.Sprintf("%s %d of %d bytes", m.Kind, m.Count+uint64(len(m.Marks)), len(frame))
	}
	m, _ := decode(frame)
	text := [...]string{pull: "PULL", data: "DATA", more: "MORE", seek: "FIND " + m.subject, found: "FOUND"}[m.kind]
	for _, p := range m.places {
		text += fmt.Sprintf(" %s/%d/%d", strings.TrimSuffix(p.owner, "@sim"), p.inc, p.seq)
	}
	if m.kind == data {
		text += fmt.Sprintf(" of %d bytes", len(m.chunk))
	}
	return text
}
