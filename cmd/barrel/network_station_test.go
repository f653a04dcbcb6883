//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// station is a machine of a lab with the node that runs on it.
type station struct {
	lab     *lab
	space   *space
	number  int
	node    name.Node
	addr    string
	dir     string // of its data
	logPath string
	child   *child // nil: none runs
	seen    *watcher
}

const nodePort = 9100

func (l *lab) newStation(i int, p *plan) *station {
	l.t.Helper()
	host := address(i)
	if p.named {
		host = fmt.Sprintf("n%d.lab", i)
	}
	s := &station{
		lab: l, space: mustSpace(l.t), number: i, addr: address(i), node: name.MustNode(fmt.Sprintf("n%d@%s", i, host)),
		dir:     filepath.Join(l.t.TempDir(), fmt.Sprintf("n%d", i)),
		logPath: filepath.Join(l.t.ArtifactDir(), fmt.Sprintf("n%d.log", i)),
	}
	l.switches(fmt.Sprintf("link add %s type veth peer name eth0 address %s netns %s", s.port(), hardware(i), s.space.path()),
		"link set "+s.port()+" up")
	l.plug("br0", s)
	s.ip("link set lo up")
	s.ip("link set eth0 up")
	s.ip("address add %s/24 dev eth0", s.addr)
	l.t.Cleanup(s.cleanup)
	return s
}

// port is the end of its cable at the switch.
func (s *station) port() string { return fmt.Sprintf("p%d", s.number) }

func (s *station) ip(format string, args ...any) {
	s.lab.t.Helper()
	if err := s.space.ip(fmt.Sprintf(format, args...)); err != nil {
		s.lab.t.Fatal(err)
	}
}

// configure writes the settings of the node: one list of contacts for all, static
// endpoints for these if names do not tell where they are.
func (s *station) configure(p *plan) {
	s.lab.t.Helper()
	var contacts, static []string
	for _, seed := range s.lab.stations[:max(p.seeds, 1)] {
		contacts = append(contacts, fmt.Sprintf("%q", seed.node))
		static = append(static, fmt.Sprintf(`"%s": ["%s:%d"]`, seed.node, seed.addr, nodePort))
	}
	discovery := fmt.Sprintf("{use: [dns], dns: {port: %d}}", nodePort)
	if p.named {
		discovery = fmt.Sprintf("{use: [static], static: {nodes: {%s}}}", strings.Join(static, ", "))
	}
	config := fmt.Sprintf("node: {name: %q, data_dir: %q}\nbootstrap: {contact_nodes: [%s]}\ntransport: {quic: {listen: \":%d\"%s}}\ndiscovery: %s\n",
		s.node, s.dir, strings.Join(contacts, ", "), nodePort, p.quic[s.number], discovery)
	if err := os.WriteFile(s.config(), []byte(config), 0o600); err != nil {
		s.lab.t.Fatal(err)
	}
}

func (s *station) config() string { return s.dir + ".yaml" }

// start runs the node, in the namespace; it dies with the test.
func (s *station) start() {
	t := s.lab.t
	t.Helper()
	exe, err := exec.LookPath("barrel")
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.OpenFile(s.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	c := newChild(exe, append(withoutSettings(os.Environ()), "GORACE=atexit_sleep_ms=20"), "run", "-c", s.config())
	c.cmd.Stderr = log
	c.cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	s.space.do(func() { err = c.start() })
	if err != nil {
		t.Fatalf("%s: %v", s.node, err)
	}
	s.child = c
	if _, err = c.line(t.Context()); err != nil {
		t.Fatalf("%s: %v", s.node, err)
	}
	s.seen = s.watch()
}

// kill ends the node as a power cut would.
func (s *station) kill() {
	if s.child != nil {
		s.child.kill()
		s.child = nil
	}
	if s.seen != nil {
		<-s.seen.ended
		s.seen = nil
	}
}

// signal sends a signal to the node.
func (s *station) signal(sig syscall.Signal) {
	s.lab.t.Helper()
	if err := s.child.cmd.Process.Signal(sig); err != nil {
		s.lab.t.Fatal(err)
	}
}

// cleanup ends the node, and shows its log if the test has failed.
func (s *station) cleanup() {
	s.kill()
	if !s.lab.t.Failed() {
		return
	}
	log, err := os.ReadFile(s.logPath)
	if err != nil {
		s.lab.t.Error(err)
	}
	s.lab.t.Logf("the end of the log of %s (all of it with -artifacts):\n%s", s.node, log[max(0, len(log)-demoLogTail):])
}

func (l *lab) kill(stations ...*station) {
	for _, s := range stations {
		s.kill()
	}
}

func (l *lab) start(stations ...*station) {
	l.t.Helper()
	for _, s := range stations {
		s.start()
	}
}
