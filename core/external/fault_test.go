package external

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

func runLoaded(t *testing.T, p *program) (string, error) {
	t.Helper()
	cmd := exec.Command(p.path(3), "-test.run=^$")
	cmd.ExtraFiles = []*os.File{p.file}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Whoever waits for a process that is killed hears of it at once, and why; and soon
// there is another one.
func TestKilledInTheMiddleOfCalls(t *testing.T) {
	t.Parallel()
	w := started(t, "good")
	killed := 0
	promised(t, "until the callers are told", 100*time.Millisecond, func() time.Duration {
		pid := w.pid()
		killed++
		defer w.expectRevival(pid)
		return w.killUnderCalls(pid)
	})
	if got := w.facade.Process(); got.Restarts != killed || got.Version != "1.2.3" || got.Contract != discovery.Contract {
		t.Errorf("process %+v", got)
	}
	told := w.told()
	if text := fmt.Sprint(told); !strings.Contains(text, "degraded plugin is gone: signal: killed") || told[len(told)-1].State != plugin.Healthy {
		t.Errorf("told %v", told)
	}
}

// killUnderCalls is how long it takes until the last of many callers is told.
func (w *world) killUnderCalls(pid int) time.Duration {
	const callers = 50
	var wait sync.WaitGroup
	for range callers {
		wait.Go(func() {
			_, err := w.lookup("slow")
			if !errors.Is(err, plugin.ErrGone) || !strings.HasPrefix(err.Error(), "discovery(test): ") {
				w.Errorf("a caller was told %v", err)
			}
		})
	}
	plugintest.Eventually(w, "calls under way", func() bool { return len(w.facade.room) == callers })
	killed := time.Now()
	_ = syscall.Kill(pid, syscall.SIGKILL)
	wait.Wait()
	return time.Since(killed)
}

// promised measures something that is promised to take no longer than so. On a machine
// that is busy one of a few tries shows that it can be kept.
func promised(t *testing.T, what string, bound time.Duration, try func() time.Duration) {
	t.Helper()
	best := time.Duration(math.MaxInt64)
	for range 3 {
		if best = min(best, try()); best <= bound*slack {
			return
		}
	}
	t.Errorf("%s: %v, at most %v is promised", what, best, bound*slack)
}

func TestEndsSayWhy(t *testing.T) {
	t.Parallel()
	w := started(t, "good")
	for node, want := range map[string][]string{
		"crash": {"exit status 2", "panic: pool is empty"},
		"exit":  {"exit status 7", "bye"},
	} {
		pid := w.pid()
		_, err := w.lookup(node)
		var gone *GoneError
		if !errors.As(err, &gone) || !errors.Is(err, plugin.ErrGone) {
			t.Fatalf("%s: %v", node, err)
		}
		for _, text := range append(want, "discovery(test): ") {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%s: the error does not say %q: %v", node, text, err)
			}
		}
		w.expectRevival(pid)
	}
	if !strings.Contains(w.log.String(), "goroutine") {
		t.Errorf("the stack of the panic is not in the log:\n%s", w.log.tail())
	}
}

// A call that goes wrong costs that call.
func TestACallThatGoesWrong(t *testing.T) {
	t.Parallel()
	w := started(t, "good")
	pid := w.pid()
	for node, want := range map[string]string{
		"panic": "panicked: index out of range", "nobody": discovery.ErrNotFound.Error(),
		"large": strings.Repeat("l", 100), "environ": "BARREL_PLUGIN=",
	} {
		if _, err := w.lookup(node); err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 5000 {
			t.Errorf("%s: %v", node, err)
		}
	}
	if _, err := w.lookup("nobody"); !errors.Is(err, discovery.ErrNotFound) {
		t.Errorf("not found lost its kind: %v", err)
	}
	if _, err := w.facade.List(t.Context()); !errors.Is(err, plugin.ErrUnsupported) {
		t.Errorf("an ability that the plugin lacks: %v", err)
	}
	w.expectWorks()
	if w.pid() != pid {
		t.Error("the process was restarted")
	}
}

func TestCallsEndInTime(t *testing.T) {
	t.Parallel()
	spec := self(t, plugin.Discovery, "good")
	spec.Timeout = 200 * time.Millisecond
	w := newWorld(t, quick(), spec, nil)
	if err := w.facade.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, node := range []string{"slow", "deaf"} {
		_, err := w.lookup(node)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "within 200ms") {
			t.Errorf("%s: %v", node, err)
		}
	}
	if _, err := w.lookup("waited"); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "the directory did not answer") {
		t.Errorf("a deadline of the plugin's own: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.facade.Lookup(ctx, name.MustNode("slow@h")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	w.expectWorks()
}

func TestTooManyCalls(t *testing.T) {
	t.Parallel()
	opts := quick()
	opts.Calls = 2
	w := newWorld(t, opts, self(t, plugin.Discovery, "good"), nil)
	if err := w.facade.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() { _, _ = w.facade.Lookup(ctx, name.MustNode("slow@h")) })
	}
	plugintest.Eventually(t, "two calls", func() bool { return len(w.facade.room) == 2 })
	if _, err := w.lookup("a"); !errors.Is(err, ErrBusy) {
		t.Errorf("the third call: %v", err)
	}
	cancel()
	wait.Wait()
	w.expectWorks()
}

// A stopped process does not answer, so it is killed and another one started.
func TestStoppedProcessIsReplaced(t *testing.T) {
	t.Parallel()
	opts := quick()
	opts.Health = 200 * time.Millisecond
	w := newWorld(t, opts, self(t, plugin.Discovery, "good"), nil)
	if err := w.facade.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	pid := w.pid()
	_ = syscall.Kill(pid, syscall.SIGSTOP)
	w.expectRevival(pid)
	w.expectGone(pid)
	if !strings.Contains(w.log.String(), "no sign of life 3 times in a row") {
		t.Errorf("log:\n%s", w.log.tail())
	}
}

func TestStopOfAStoppedProcess(t *testing.T) {
	t.Parallel()
	opts := quick() // nobody notices before
	w := newWorld(t, opts, self(t, plugin.Discovery, "good"), nil)
	if err := w.facade.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	pid := w.pid()
	_ = syscall.Kill(pid, syscall.SIGSTOP)
	expectStopWithin(t, w, 5*time.Second)
	w.expectGone(pid)
}

func TestStuckInStop(t *testing.T) {
	t.Parallel()
	w := started(t, "stuck in stop")
	pid := w.pid()
	expectStopWithin(t, w, 5*time.Second)
	w.expectGone(pid)
	if !strings.Contains(w.log.String(), "not stopped in good order") {
		t.Errorf("log:\n%s", w.log.tail())
	}
}

// A plugin that has left its group is ended like any other.
func TestAPluginThatLeavesItsGroup(t *testing.T) {
	t.Parallel()
	w := started(t, "leaves its group")
	pid, grandchild := w.pid(), w.grandchild()
	expectStopWithin(t, w, time.Minute)
	w.expectGone(pid)
	w.expectGone(grandchild)
}

// A process that nobody can kill, as one of another user, is let go of; that it is left
// is an error.
func TestAProcessThatCannotBeKilled(t *testing.T) {
	t.Parallel()
	w := started(t, "stuck in stop")
	pid := w.pid()
	live, _ := w.facade.now()
	_ = syscall.Kill(pid, syscall.SIGSTOP) // it does not see its lifeline end either
	c := live.process.child
	strike := c.strike
	c.strike = func() {}
	began := time.Now()
	err := w.facade.Stop(t.Context())
	if !errors.Is(err, errLeft) || !strings.Contains(err.Error(), itoa(pid)) {
		t.Errorf("Stop: %v", err)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("Stop took %v", took)
	}
	strike() // its watcher, which lost the lifeline too, may have been faster
	<-c.lived
}

func expectStopWithin(t *testing.T, w *world, bound time.Duration) {
	t.Helper()
	began := time.Now()
	if err := w.facade.Stop(t.Context()); err != nil {
		t.Errorf("Stop: %v", err)
	}
	if took := time.Since(began); took > bound {
		t.Errorf("Stop took %v", took)
	}
}

func TestStopIsQuickAndCanBeFollowedByStart(t *testing.T) {
	t.Parallel()
	w := started(t, "good")
	for range 2 {
		pid := w.pid()
		expectStopWithin(t, w, 5*time.Second)
		w.expectGone(pid)
		if _, err := w.lookup("a"); !errors.Is(err, plugin.ErrGone) {
			t.Errorf("after Stop: %v", err)
		}
		if err := w.facade.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.expectWorks()
	}
	if strings.Contains(w.log.String(), "level=WARN") {
		t.Errorf("an orderly end was logged as trouble:\n%s", w.log.tail())
	}
}

func TestWhateverItPrints(t *testing.T) {
	t.Parallel()
	for _, flaw := range []string{"garbage on stdout", "hostile stderr"} {
		t.Run(flaw, func(t *testing.T) {
			t.Parallel()
			w := started(t, flaw)
			w.expectWorks()
			if _, err := w.lookup("print"); err != nil {
				t.Error(err)
			}
			plugintest.Eventually(t, "what was printed", func() bool { return strings.Contains(w.log.String(), "printed by the plugin") })
			for line := range strings.Lines(w.log.String()) {
				if strings.ContainsAny(line, "\x00\x1b") || len(line) > 3*maxLine {
					t.Errorf("a line of the log is hostile: %.200q", line)
				}
			}
		})
	}
}

// 100 MB of log cost neither memory nor the log, and do not hold the plugin up.
func TestAFloodOfLog(t *testing.T) {
	t.Parallel()
	w := started(t, "floods")
	w.expectWorks()
	if n := len(w.log.String()); n > 2<<20 {
		t.Errorf("%d bytes in the log", n)
	}
	live, _ := w.facade.now()
	if kept := live.process.child.log.last(); len(kept) != keptLines || len(strings.Join(kept, "")) > keptLines*(keptLine+3) {
		t.Errorf("%d lines are kept", len(kept))
	}
}

// A child of the plugin that holds its outputs open ends with it.
func TestAGrandchildEndsToo(t *testing.T) {
	t.Parallel()
	w := started(t, "grandchild")
	grandchild := w.grandchild()
	pid := w.pid()
	if _, err := w.lookup("exit"); !errors.Is(err, plugin.ErrGone) {
		t.Errorf("error %v", err)
	}
	w.expectGone(grandchild)
	w.expectRevival(pid)
	expectStopWithin(t, w, 5*time.Second)
}

func (w *world) grandchild() int {
	w.Helper()
	var found []string
	plugintest.Eventually(w, "the number of the grandchild", func() bool {
		found = regexp.MustCompile(`grandchild (\d+)`).FindStringSubmatch(w.log.String())
		return found != nil
	})
	pid, err := strconv.Atoi(found[1])
	if err != nil {
		w.Fatal(err)
	}
	return pid
}

func TestTheEnvironmentIsClean(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
	spec := self(t, plugin.Discovery, "good")
	spec.Env = map[string]string{"CONSUL_HTTP_ADDR": "http://127.0.0.1:8500"}
	w := newWorld(t, quick(), spec, nil)
	if err := w.facade.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := w.lookup("environ")
	for text, want := range map[string]bool{"hunter2": false, "HOME=": false, "PATH=": false, "CONSUL_HTTP_ADDR=http": true} {
		if strings.Contains(fmt.Sprint(err), text) != want {
			t.Errorf("%s: want %v in %v", text, want, err)
		}
	}
}

func TestTheBudgetRunsOut(t *testing.T) {
	t.Parallel()
	opts := quick()
	opts.Budget = 2
	w := newWorld(t, opts, self(t, plugin.Discovery, "good"), nil)
	if err := w.facade.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range opts.Budget {
		pid := w.pid()
		_, _ = w.lookup("exit")
		w.expectRevival(pid)
	}
	_, _ = w.lookup("exit")
	plugintest.Eventually(t, "the end of the budget", func() bool { return w.facade.Health().State == plugin.Failed })
	if detail := w.facade.Health().Detail; !strings.Contains(detail, "barrel plugin reload discovery/test") || !strings.Contains(detail, "exit status 7") {
		t.Errorf("detail %q", detail)
	}
	if _, err := w.lookup("a"); !errors.Is(err, plugin.ErrGone) {
		t.Errorf("error %v", err)
	}
	if err := w.facade.Replace(t.Context(), w.facade); err != nil {
		t.Fatalf("Replace after the failure: %v", err)
	}
	w.expectWorks()
	pid := w.pid()
	_, _ = w.lookup("exit")
	w.expectRevival(pid) // and there is a budget again
}

func TestLogsKnowTheirCall(t *testing.T) {
	t.Parallel()
	w := started(t, "good")
	if _, err := w.lookup("log"); err != nil {
		t.Fatal(err)
	}
	plugintest.Eventually(t, "the line", func() bool {
		return regexp.MustCompile(`level=INFO msg=looking .*call=\d+ .*node=log@h`).MatchString(w.log.String())
	})
}

func TestAWatchOutlivesProcesses(t *testing.T) {
	t.Parallel()
	w := started(t, "good")
	changes, err := w.facade.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	record := discovery.Record{Node: name.MustNode("self@h"), Endpoints: []name.Address{name.MustAddress("10.0.0.9:1")}}
	if err := w.facade.Publish(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	if got := <-changes; got != record.Node {
		t.Errorf("told of %q", got)
	}
	_, _ = w.lookup("exit")
	if got := <-changes; !got.IsZero() {
		t.Errorf("after a restart told of %q, want anything", got)
	}
	plugintest.Eventually(t, "what was published, in the new process", func() bool {
		answer, err := w.lookup("published")
		return err == nil && answer.Endpoints[0] == record.Endpoints[0]
	})
	expectStopWithin(t, w, 5*time.Second)
	if _, open := <-changes; open {
		t.Error("the watch goes on after Stop")
	}
}

func TestReplaceAndReload(t *testing.T) {
	t.Parallel()
	w := started(t, "good")
	pid := w.pid()
	if err := w.facade.Replace(t.Context(), w.facade); err != nil {
		t.Fatal(err)
	}
	w.expectWorks()
	w.expectGone(pid)
	pid = w.pid()
	err := w.facade.Reload(t.Context(), &plugin.Section{"port": int64(0)})
	var wrong *plugin.SettingsError
	if !errors.As(err, &wrong) {
		t.Errorf("bad settings: %v", err)
	}
	if w.pid() != pid {
		t.Error("bad settings replaced the process")
	}
	w.expectWorks()
	if err := w.facade.Reload(t.Context(), &plugin.Section{"port": int64(7)}); err != nil {
		t.Fatal(err)
	}
	if answer, err := w.lookup("a"); err != nil || answer.Endpoints[0].Port() != 7 {
		t.Errorf("%v, %v", answer, err)
	}
	if got := w.facade.Process().Restarts; got != 0 {
		t.Errorf("%d restarts: what was asked for does not count", got)
	}
}

func TestABadReplacementLeavesTheOldOne(t *testing.T) {
	t.Parallel()
	w := started(t, "good")
	pid := w.pid()
	for what, spec := range map[string]Spec{
		"dies early": self(t, plugin.Discovery, "dies early"), "start fails": self(t, plugin.Discovery, "start fails"),
		"no such file": {Kind: plugin.Discovery, Name: "test", Command: "/no/such/file"},
	} {
		next := newWorld(t, quick(), spec, nil)
		if err := w.facade.Replace(t.Context(), next.facade); err == nil || !strings.Contains(err.Error(), "the old process stays") {
			t.Errorf("%s: %v", what, err)
		}
		w.expectWorks()
		if w.pid() != pid {
			t.Fatalf("%s: the process was replaced", what)
		}
	}
	if err := w.facade.Replace(t.Context(), startTrust(t, plugintest.NewTrustPins())); err == nil {
		t.Error("a trust plugin took its place")
	}
}

func TestTrustThatIsGoneSaysNo(t *testing.T) {
	t.Parallel()
	pins := plugintest.NewTrustPins()
	pins.Put(name.MustNode("a@h"), trust.Key{1}, "operator")
	facade := startTrust(t, pins)
	decide := func(node string, key trust.Key) error {
		return facade.Decide(t.Context(), trust.Claim{Node: name.MustNode(node + "@h"), Key: key})
	}
	if err := decide("a", trust.Key{1}); err != nil {
		t.Errorf("pinned: %v", err)
	}
	if err := decide("a", trust.Key{2}); !errors.Is(err, trust.ErrKeyMismatch) {
		t.Errorf("another key: %v", err)
	}
	if err := decide("b", trust.Key{1}); !errors.Is(err, trust.ErrUntrusted) {
		t.Errorf("unknown: %v", err)
	}
	if err := decide("new", trust.Key{3}); err != nil {
		t.Errorf("new: %v", err)
	}
	if err := decide("new", trust.Key{4}); !errors.Is(err, trust.ErrKeyMismatch) {
		t.Errorf("new, another key: %v", err)
	}
	if err := decide("forge", trust.Key{5}); err == nil || len(pins.All()) != 2 {
		t.Errorf("a plugin pinned what it was not asked about: %v, %v", err, pins.All())
	}
	for _, node := range []string{"exit", "a"} {
		err := decide(node, trust.Key{1})
		if !errors.Is(err, plugin.ErrGone) || errors.Is(err, trust.ErrUntrusted) {
			t.Errorf("%s: %v", node, err)
		}
	}
	plugintest.Eventually(t, "recovery", func() bool { return decide("a", trust.Key{1}) == nil })
}

// Hearsay is judged by the process as a plugin in the program judges it, and is not
// believed while there is nobody to ask.
func TestHearsayIsJudgedInTheProcess(t *testing.T) {
	t.Parallel()
	pins := plugintest.NewTrustPins()
	pins.Put(name.MustNode("a@h"), trust.Key{1}, "operator")
	facade := startTrust(t, pins)
	vet := func(node string) error {
		vetter, ok := any(facade).(trust.Vetter)
		if !ok {
			return nil // as the node takes it
		}
		return vetter.Vet(trust.Claim{Node: name.MustNode(node), Key: trust.Key{1}})
	}
	if err := vet("a@h"); err != nil {
		t.Errorf("pinned: %v", err)
	}
	if err := vet("b@h"); !errors.Is(err, trust.ErrUntrusted) {
		t.Errorf("unknown: %v", err)
	}
	_ = facade.Decide(t.Context(), trust.Claim{Node: name.MustNode("exit@h"), Key: trust.Key{1}})
	if err := facade.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := vet("a@h"); !errors.Is(err, plugin.ErrGone) {
		t.Errorf("without a process: %v", err)
	}
}

// A process that does not answer holds up who asks about hearsay once, and not each time.
func TestHearsayIsNotWaitedForAgain(t *testing.T) {
	t.Parallel()
	facade := startTrust(t, plugintest.NewTrustPins())
	f := any(facade).(*trustFacade)
	live, _ := f.now()
	pid := int(live.process.child.pid.Load())
	_ = syscall.Kill(pid, syscall.SIGSTOP)
	defer func() { _ = syscall.Kill(pid, syscall.SIGCONT) }()
	claim := trust.Claim{Node: name.MustNode("a@h"), Key: trust.Key{1}}
	if err := f.Vet(claim); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("of a process that stands still: %v", err)
	}
	if err := f.Vet(claim); !errors.Is(err, ErrBusy) {
		t.Errorf("a moment later: %v", err)
	}
}

// beHost is a host that is going to be killed: it has one plugin with a grandchild.
func beHost(flaw string) {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	dir, err := os.MkdirTemp("", "host")
	if err != nil {
		panic(err)
	}
	env := plugin.Env{Node: name.MustNode("self@h"), DataDir: dir, Log: newStderrLog(), Tasks: plugin.NewTasks(func(plugin.Panic) {})}
	spec := Spec{Kind: plugin.Discovery, Name: "test", Command: path, Args: []string{flaw}}
	made, err := Discovery(spec, Options{}).New(env, &plugin.Section{})
	if err != nil {
		panic(err)
	}
	if err := made.Start(context.Background()); err != nil {
		panic(err)
	}
	hosted, _ := made.(plugin.Hosted)
	fmt.Println(hosted.Process().PID)
	select {}
}
