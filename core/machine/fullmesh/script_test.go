package fullmesh

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/transport"
)

// TestScripts plays testdata/*.txt. A line in the first column is a command, an
// indented one is what must come of it. BARREL_UPDATE=1 writes what came.
//
//	start a b c     nodes begin a life        join b a      b joins through a
//	leave b         b leaves                  run 5s        time passes
//	crash b         no good-bye               stop b        links closed as stopping
//	cut a b         nothing passes            heal          everything passes again
//	close a b idle  a link ends with a code   members a     a's list
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
	if got == string(text) {
		return
	}
	if os.Getenv("BARREL_UPDATE") == "" {
		t.Fatalf("%s: first difference at line %d; the whole, as it came:\n%s", file, differs(got, string(text)), got)
	}
	if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
		t.Fatal(err)
	}
}

func differs(a, b string) int {
	la, lb := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range la {
		if i >= len(lb) || la[i] != lb[i] {
			return i + 1
		}
	}
	return len(la)
}

// play runs the commands of a script and returns it with what came of them.
func play(t *testing.T, script string) string {
	w := newWorld(t, 1)
	for line := range strings.Lines(script) {
		if strings.HasPrefix(line, " ") {
			continue
		}
		w.trace.WriteString(line)
		if words := strings.Fields(line); len(words) > 0 && words[0] != "#" {
			command(w, words[0], words[1:])
		}
	}
	return w.trace.String()
}

func command(w *world, verb string, args []string) {
	switch verb {
	case "start":
		for _, base := range args {
			w.start(base)
		}
	case "join":
		w.node(args[0]).step(Join(uint64(w.seq), w.node(args[1]).name))
	case "leave":
		w.node(args[0]).step(Leave(uint64(w.seq)))
	case "run":
		d, err := time.ParseDuration(args[0])
		if err != nil {
			w.t.Fatal(err)
		}
		w.run(d)
	case "crash":
		w.kill(w.node(args[0]), transport.CloseSilent, silence)
	case "stop":
		w.kill(w.node(args[0]), transport.CloseStopping, latency)
	case "cut":
		w.cut(w.node(args[0]), w.node(args[1]))
	case "heal":
		w.cuts = nil
	case "close":
		w.sever(w.link(w.node(args[0]), w.node(args[1])), closeCode(args[2]), latency)
	case "members":
		printMembers(w, w.node(args[0]))
	default:
		w.t.Fatalf("unknown command %q", verb)
	}
}

func closeCode(word string) transport.CloseCode {
	for c := transport.CloseNone; c <= transport.CloseRestarted; c++ {
		if c.String() == word {
			return c
		}
	}
	panic("no close code " + word)
}

func printMembers(w *world, h *host) {
	for _, m := range h.m.Members() {
		near := ""
		if m.Neighbour {
			near = " neighbour"
		}
		fmt.Fprintf(&w.trace, "  %s/%d %s%s since %.3fs\n", m.Node.Base(), m.Incarnation, m.State, near, m.Since.Seconds())
	}
}
