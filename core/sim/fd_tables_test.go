package sim_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/barrelp2p/barrel/core/machine/liveness"
	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// livenessTables shows when who notices what, and what the watching costs. Every node
// knows every node, so the size is bounded by memory.
func livenessTables(r round) string {
	var text strings.Builder
	fmt.Fprintf(&text, "Failure detection, %d nodes, seed %d, latencies of 1 to 20 ms, links that end after 3 s of silence.\n\n", r.nodes, r.seed)
	text.WriteString(quietTable(r).String())
	text.WriteString("\n")
	text.WriteString(noticeTable(r).String())
	return text.String()
}

// quietTable is what a node sends while nothing happens.
func quietTable(r round) *table {
	w := admit(r, nil)
	before := w.Totals()
	w.RunFor(time.Minute)
	after := w.Totals()
	spent := after.Minus(&before)
	t := newTable("per node, quiet", "messages/s", "kB/s")
	for c := range overlay.Classes {
		per := 60 * float64(len(w.Living()))
		t.row(c.String(), whole3(float64(spent[c].Messages)/per), whole3(float64(spent[c].Bytes)/per/1000))
	}
	return t
}

func noticeTable(r round) *table {
	t := newTable("", "bound", "here")
	w := admit(r, nil)
	victim, at := w.anyone(), w.Now()
	w.Kill(victim)
	w.RunFor(20 * time.Second)
	near, _ := w.last(overlay.PeerDown, victim)
	all, _ := w.last(overlay.MemberDown, victim)
	t.row("killed: the last neighbour notices", "4 s", took(near-at))
	t.row("killed: half take it for down", "7.5 s", took(w.median(overlay.MemberDown)-at))
	t.row("killed: all take it for down", "9 s", took(all-at))
	w.Start(victim)
	w.join(victim)
	t.row("started again: all take it for alive", "", took(w.until(time.Minute, func() bool { return w.everybody(victim, liveness.Alive) })))
	w.Stall(victim, 30*time.Second)
	t.row("frozen: all take it for down", "14 s", took(w.until(time.Minute, func() bool { return w.everybody(victim, liveness.Down) })))
	w.until(time.Minute, func() bool { return w.everybody(victim, liveness.Alive) })
	dead := w.faulty(50)
	w.events = nil
	at = w.Now()
	for _, p := range dead {
		w.Kill(p)
	}
	w.RunFor(15 * time.Second)
	t.row("half killed: taken for down within 15 s", "96 %", percent(100*float64(w.marked(dead))/float64(len(dead)*len(w.Living())))+" %")
	w.RunFor(15 * time.Second)
	t.row("half killed: half of all MemberDown told", "25 s", took(w.median(overlay.MemberDown)-at))
	return t
}

func took(d overlay.Time) string { return d.Round(10 * time.Millisecond).String() }
