package core_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/core/config"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/plugins"
)

// workerEnv makes this program a node on which work can be started: its name, its data
// folder, and the folder in which nodes find each other.
const workerEnv = "BARREL_TEST_WORKER"

// beWorker runs until its input ends, and says on its output when work is started on it.
func beWorker(spec string) error {
	words := strings.Fields(spec)
	cfg, err := core.Load(config.Sources{Name: words[0], DataDir: words[1], Sets: []string{
		"transport.quic.listen=127.0.0.1:0", "discovery.use=file", "discovery.file.dir=" + words[2],
		"bootstrap.contact_nodes=boss@127.0.0.1", "log.level=error",
	}}, plugins.All())
	if err != nil {
		return err
	}
	n, err := core.New(cfg, plugins.All())
	if err != nil {
		return err
	}
	if err := n.Start(context.Background()); err != nil {
		return err
	}
	err = core.OfferStart(n, "work", core.Anyone, func(ctx context.Context, self *core.Self, _ string) error {
		_, _ = fmt.Println("runs")
		_, _, err := core.Receive[string](ctx, self)
		return err
	})
	if err == nil {
		_, err = io.Copy(io.Discard, os.Stdin)
	}
	return err
}

// startWorker starts such a program. It tells started when work is started on it.
func startWorker(t *testing.T, node, folder string, started chan<- string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), workerEnv+"="+strings.Join([]string{node, t.TempDir(), folder}, " "))
	cmd.Stderr = os.Stderr
	_, err := cmd.StdinPipe() // open for as long as this process is there
	out, err2 := cmd.StdoutPipe()
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			started <- node
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		_ = cmd.Wait()
	})
	return cmd
}

// A child of a supervisor whose node is a process that is killed runs in another process
// within 1s of the time in which the cluster notices. On a machine that is busy this takes
// what it takes: TestChildrenOfAKilledNodeMove has the exact bound, in virtual time. Not
// parallel, because it looks at the clock.
func TestAChildOfAKilledProcessMoves(t *testing.T) {
	l := newField(t)
	boss, started := l.start("boss@127.0.0.1"), make(chan string, 8)
	workers := map[string]*exec.Cmd{}
	var nodes []name.Node
	for _, node := range []string{"w1@127.0.0.1", "w2@127.0.0.1"} {
		workers[node] = startWorker(t, node, l.folder, started)
		nodes = append(nodes, name.MustNode(node))
	}
	eventually(t, "all are members", func() bool { return len(boss.Alive()) == 3 })
	s, err := boss.Supervise(t.Context(), core.SupervisorSpec{Children: []core.Child{
		{ID: "child", Place: &core.Place{Function: "work", Args: "args", Nodes: func() []name.Node { return nodes }}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	first := heard(t, started)
	if err := workers[first].Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	second := heard(t, started)
	within(t, "until the child of the killed process runs on "+second, killed, scaled(noticedWithin+time.Second, patience))
	if second == first {
		t.Errorf("the child runs on %s again, which was killed", first)
	}
}

// heard is what comes soon.
func heard(t *testing.T, from <-chan string) string {
	t.Helper()
	select {
	case text := <-from:
		return text
	case <-time.After(patience):
		t.Fatalf("nothing for %v", patience)
		return ""
	}
}

// workerOrTests is what this program is.
func workerOrTests(tests func()) {
	spec := os.Getenv(workerEnv)
	if spec == "" {
		tests()
		return
	}
	if err := beWorker(spec); err != nil {
		log.Fatal(err)
	}
}
