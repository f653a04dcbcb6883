package hyparview

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// TestScripts plays testdata/*.txt against the machine of node 1. A line in the first
// column is something that happens, an indented one is what the machine asks for.
// BARREL_UPDATE=1 writes what came.
//
//	size 3 8        views of 3 and 8 from the beginning
//	join 2          leave          contacts 2 3      reach 2      dead 2
//	up 2/1          a link to the first life of 2
//	down 2/1 silent              failed 2 silent     (a dial)
//	say 2/1 NEIGHBOR high        say 2/1 WALK 5 ttl 6      say 2/1 SHUFFLE of 5 ttl 3: 6 7
//	run 10s         timers fire
//	views           what is known
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
		t.Fatalf("%s: this came:\n%s", file, got)
	default:
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

type stage struct {
	t      *testing.T
	m      *Machine
	now    overlay.Time
	out    overlay.Effects[Message]
	timers []overlay.Arm
	trace  strings.Builder
}

func play(t *testing.T, script string) string {
	s := &stage{t: t, m: New(1, 1, Default(), rand.New(rand.NewPCG(1, 1)))}
	for line := range strings.Lines(script) {
		if strings.HasPrefix(line, " ") {
			continue
		}
		s.trace.WriteString(line)
		if words := strings.Fields(line); len(words) > 0 && words[0] != "#" {
			s.do(words[0], words[1:])
		}
	}
	return s.trace.String()
}

func (s *stage) do(verb string, args []string) {
	in := overlay.Input[Message]{}
	switch verb {
	case "size":
		cfg := Default()
		cfg.Active, cfg.Passive = s.number(args[0]), s.number(args[1])
		s.m = New(1, 1, cfg, rand.New(rand.NewPCG(1, 1)))
		return
	case "views":
		s.views()
		return
	case "run":
		d, err := time.ParseDuration(args[0])
		s.must(err)
		s.run(s.now + d)
		return
	case "up":
		in.Kind = overlay.InLinkUp
		in.Peer, in.Inc = s.life(args[0])
	case "down":
		in.Kind, in.Reason = overlay.InLinkDown, reason(args[1])
		in.Peer, in.Inc = s.life(args[0])
	case "failed":
		in.Kind, in.Peer, in.Reason = overlay.InDialFailed, s.peer(args[0]), reason(args[1])
	case "say":
		in.Kind, in.Msg = overlay.InMsg, s.message(args[1:])
		in.Peer, in.Inc = s.life(args[0])
	default:
		in.Kind, in.Cmd = overlay.InCommand, s.command(verb, args)
	}
	s.step(&in)
}

func (s *stage) command(verb string, args []string) overlay.Command {
	ops := map[string]overlay.Op{"join": overlay.OpJoin, "leave": overlay.OpLeave, "contacts": overlay.OpContacts,
		"reach": overlay.OpReach, "dead": overlay.OpDown}
	c := overlay.Command{Op: ops[verb]}
	if c.Op == 0 {
		s.t.Fatalf("unknown command %q", verb)
	}
	for _, a := range args {
		c.Peers = append(c.Peers, s.peer(a))
		c.Peer = c.Peers[0]
	}
	return c
}

func (s *stage) message(words []string) Message {
	kinds := []string{"", "JOIN", "WALK", "NEIGHBOR", "REPLY", "DISCONNECT", "SHUFFLE", "GIVE"}
	msg := Message{Kind: Kind(max(slices.Index(kinds, words[0]), 0))}
	for i := 1; i < len(words); i++ {
		switch w := words[i]; w {
		case "high":
			msg.Flags |= High
		case "yes":
			msg.Flags |= Accept
		case "gone":
			msg.Flags |= Gone
		case "of":
			i++
			msg.Subject = s.peer(words[i])
		case "ttl":
			i++
			msg.TTL = uint8(s.number(words[i]))
		default:
			msg.add(s.peer(w))
		}
	}
	return msg
}

func (s *stage) run(until overlay.Time) {
	for {
		next := -1
		for i, a := range s.timers {
			if a.At <= until && (next < 0 || a.At < s.timers[next].At) {
				next = i
			}
		}
		if next < 0 {
			s.now = until
			return
		}
		a := s.timers[next]
		s.timers = slices.Delete(s.timers, next, next+1)
		s.now = max(s.now, a.At)
		s.step(&overlay.Input[Message]{Kind: overlay.InTimer, Timer: a.Timer})
	}
}

func (s *stage) step(in *overlay.Input[Message]) {
	s.out.Reset()
	s.m.Step(s.now, in, &s.out)
	s.must(s.m.Check())
	s.timers = append(s.timers, s.out.Timers...)
	for _, p := range s.out.Dials {
		s.note("dial %d", p)
	}
	for _, one := range s.out.Sends {
		mode := ""
		if one.Mode == overlay.Once {
			mode = " once"
		}
		s.note("send%s %d %s", mode, one.To, one.Msg.String())
	}
	for _, c := range s.out.Closes {
		s.note("close %d %v", c.Peer, c.Reason)
	}
	for _, e := range s.out.Events {
		kinds := map[overlay.EventKind]string{overlay.PeerUp: "PEER UP", overlay.PeerDown: "PEER DOWN", overlay.Joined: "JOINED",
			overlay.JoinFailed: "JOIN FAILED", overlay.Isolated: "ISOLATED", overlay.Connected: "CONNECTED"}
		s.note("%s %d/%d %v", kinds[e.Kind], e.Peer, e.Inc, e.Reason)
	}
	if s.out.Discover {
		s.note("discover")
	}
}

func (s *stage) note(format string, args ...any) {
	fmt.Fprintf(&s.trace, "  %8.3fs %s\n", s.now.Seconds(), fmt.Sprintf(format, args...))
}

func (s *stage) views() {
	sorted := func(peers []overlay.Peer) []overlay.Peer {
		slices.Sort(peers)
		return peers
	}
	fmt.Fprintf(&s.trace, "  active %v passive %v remembered %v\n",
		sorted(s.m.Active(nil)), sorted(s.m.Passive(nil)), sorted(s.m.Remembered(nil)))
}

func (s *stage) life(text string) (overlay.Peer, uint64) {
	peer, inc, _ := strings.Cut(text, "/")
	return s.peer(peer), uint64(s.number(inc))
}

func (s *stage) peer(text string) overlay.Peer { return overlay.Peer(s.number(text)) }

func (s *stage) number(text string) int {
	n, err := strconv.Atoi(text)
	s.must(err)
	return n
}

func (s *stage) must(err error) {
	if err != nil {
		s.t.Helper()
		s.t.Fatalf("%v\n%s", err, s.trace.String())
	}
}

func reason(word string) overlay.Reason {
	for r := overlay.Lost; r <= overlay.Restarted; r++ {
		if r.String() == word {
			return r
		}
	}
	panic("no reason " + word)
}
