package core_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// What a cluster of a hundred nodes has to show; see make hundred.
const (
	wholeWithin = 5 * time.Second       // after the last start
	downWithin  = 9 * time.Second       // at every survivor
	shoutMedian = 50 * time.Millisecond // until the last has heard it
)

// Many nodes in this process, on real sockets. That things happen is checked, and how
// fast they do is told. With BARREL_HUNDRED (make hundred) they are a hundred, and what is
// asked of times and costs is checked too: that takes eight minutes and wants the machine
// for itself.
func TestManyNodes(t *testing.T) {
	r := &report{t: t, strict: os.Getenv("BARREL_HUNDRED") != ""}
	if r.strict {
		r.hundred()
	} else {
		c := r.rise(scaled(25, 15), 1)
		r.shouts(c, 50)
		r.deaths(c)
	}
	r.print()
}

func (r *report) hundred() {
	c := r.rise(100, 3)
	r.cost(c)
	r.shouts(c, 200)
	r.quiet(c, 5*time.Minute)
	r.cost(c)
	r.deaths(c)
}

// report is a table of what was to be and what was seen.
type report struct {
	t      *testing.T
	strict bool // times count
	lines  []string
	before cost
}

func (r *report) line(what, want, got string, good bool) {
	if !good {
		r.t.Errorf("%s: %s, want %s", what, got, want)
	}
	r.lines = append(r.lines, fmt.Sprintf("%-44s %-14s %s", what, want, got))
}

// took is a line about a time that only counts when the machine is there for it.
func (r *report) took(what string, most, got time.Duration) {
	r.line(what, "within "+most.String(), got.Round(time.Millisecond).String(), got <= most || !r.strict)
}

func (r *report) print() { r.t.Logf("\n%s", strings.Join(r.lines, "\n")) }

// rise starts the nodes and waits until each knows all others.
func (r *report) rise(size, mortals int) *throng {
	r.before = weigh()
	began := time.Now()
	c := newThrong(r.t, size, mortals)
	last := time.Now()
	r.line(fmt.Sprintf("%d nodes started", size), "", last.Sub(began).Round(time.Millisecond).String(), true)
	r.await("every node knows every other", c.whole, c.lacks)
	r.took(fmt.Sprintf("every node sees %d members", size), wholeWithin, time.Since(last))
	for _, h := range c.heralds {
		if got := members(h.node, membership.Alive); got != size {
			r.t.Errorf("%s sees %d members alive, want %d", h.node.Name(), got, size)
		}
	}
	return c
}

// await is eventually that says how far it came.
func (r *report) await(what string, cond func() bool, lacks func() string) {
	r.t.Helper()
	for began := time.Now(); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > patience {
			r.t.Fatalf("%s: not within %v:%s", what, patience, lacks())
		}
	}
}

// cost weighs the nodes. Links that were made for a moment are closed by then.
func (r *report) cost(c *throng) {
	time.Sleep(10 * time.Second)
	each := weigh().minus(r.before).by(len(c.heralds))
	r.line("goroutines per node", fmt.Sprintf("at most %d", mostPerNode), fmt.Sprint(each.goroutines), each.goroutines <= mostPerNode)
	r.line("memory per node", fmt.Sprintf("at most %d KiB", mostMemory>>10), fmt.Sprintf("%d KiB", each.memory>>10), each.memory <= mostMemory)
	if each.goroutines > mostPerNode {
		_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
	}
	count := 0
	for _, h := range c.heralds {
		count += len(adminOf(r.t, h.node).Links())
	}
	r.line("link ends per node", "", fmt.Sprintf("%.1f", float64(count)/float64(len(c.heralds))), true)
}

// shouts has nodes broadcast, one after the other.
func (r *report) shouts(c *throng, tries int) {
	var lasts, all []time.Duration
	missed := 0
	for i := range tries {
		s := c.shout(rand.IntN(len(c.heralds)), uint64(i))
		c.mu.Lock()
		missed += s.missed
		last := time.Duration(0)
		for _, d := range s.heard {
			all, last = append(all, d), max(last, d)
		}
		c.mu.Unlock()
		lasts = append(lasts, last)
	}
	r.line(fmt.Sprintf("broadcasts missed, %d tries", tries), "0", fmt.Sprint(missed), missed == 0)
	r.took("broadcast heard by all, median", shoutMedian, quantile(lasts, 50))
	r.line("broadcast heard by all, 95 of 100", "", quantile(lasts, 95).Round(time.Millisecond).String(), true)
	r.line("broadcast heard by one, median", "", quantile(all, 50).Round(100*time.Microsecond).String(), true)
}

// quantile is the value that a share of all, in percent, does not exceed.
func quantile(all []time.Duration, percent int) time.Duration {
	slices.Sort(all)
	return all[(len(all)-1)*percent/100]
}

// quiet is a while in which nothing should happen.
func (r *report) quiet(c *throng, long time.Duration) {
	began, busy := time.Now(), cpu()
	time.Sleep(long)
	busy = cpu() - busy
	down, suspect := c.since(began, membership.MemberDown, name.Node{}), c.since(began, membership.MemberSuspect, name.Node{})
	r.line(fmt.Sprintf("false downs in %v", long), "0", fmt.Sprint(len(down)), len(down) == 0)
	for _, e := range down {
		r.t.Logf("%s took %s for down after %v: %s", throngName(e.by), e.Node, e.at.Sub(began), e.Reason)
	}
	r.line("suspicions meanwhile, all refuted", "", fmt.Sprint(len(suspect)), true)
	r.line("processor per idle node", "", fmt.Sprintf("%.2f%%", 100*busy.Seconds()/long.Seconds()/float64(len(c.heralds))), true)
}

// tellers names those who told of something.
func tellers(told []saying) (list string) {
	for _, e := range told {
		list += throngName(e.by) + " "
	}
	return list
}

// cpu is the processor time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// deaths kills the mortals one after the other.
func (r *report) deaths(c *throng) {
	var times []time.Duration
	began := time.Now()
	for i := len(c.heralds) - 1; c.heralds[i].kill != nil; i-- {
		h, killed := c.heralds[i], time.Now()
		h.kill()
		var seen []saying
		r.await("the dead is down at every survivor", func() bool {
			seen = slices.DeleteFunc(c.since(killed, membership.MemberDown, h.node.Name()), func(e saying) bool { return e.by >= i })
			return len(seen) == i
		}, func() string { return fmt.Sprintf(" told by %d of %d: %s", len(seen), i, tellers(seen)) })
		times = append(times, seen[len(seen)-1].at.Sub(killed))
		c.heralds = c.heralds[:i]
	}
	r.took("killed node down at the last survivor, median", downWithin, quantile(times, 50))
	r.took("the same, slowest", downWithin, quantile(times, 100))
	for _, e := range c.since(began, membership.MemberDown, name.Node{}) {
		if e.by < len(c.heralds) && slices.ContainsFunc(c.heralds, func(h *herald) bool { return h.node.Name() == e.Node }) {
			r.t.Errorf("%s took %s for down: %s", throngName(e.by), e.Node, e.Reason)
		}
	}
}
