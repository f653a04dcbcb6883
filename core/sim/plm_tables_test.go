package sim_test

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/barrelp2p/barrel/core/machine/hyparview"
	"github.com/barrelp2p/barrel/core/machine/plumtree"
	"github.com/barrelp2p/barrel/core/sim"
)

// plumtreeTables compares broadcasts with the figures of the Plumtree paper (TR-07-14),
// which are of 10,000 nodes.
func plumtreeTables(r round) string {
	var text strings.Builder
	fmt.Fprintf(&text, "Broadcasts, %d nodes, seed %d, packets of equal latency. Published figures are of 10,000 nodes.\n\n", r.nodes, r.seed)
	text.WriteString(costTable(r).String())
	text.WriteString("\nFrom the first broadcast on, RMR of one sender:\n\n")
	text.WriteString(growthTable(r).String())
	text.WriteString("\nAfter a crash: the first broadcast before anybody noticed, the second after a cycle.\n\n")
	text.WriteString(felledTable(r).String())
	text.WriteString("\nMany senders where most packets are fast and a few are late, last hop:\n\n")
	text.WriteString(unevenTable(r).String())
	return text.String()
}

func whole3(v float64) string { return strconv.FormatFloat(v, 'f', 3, 64) }

// costTable is a stable network, the mean of ten broadcasts.
func costTable(r round) *table {
	t := newTable("", "payloads, published", "here", "control, published", "here", "last hop, published", "here")
	for _, row := range []struct {
		name                    string
		threshold               uint32
		many                    bool
		payloads, control, last string
	}{
		{"one sender", 0, false, "9,999", "29,987", "10.0"},
		{"many senders", 0, true, "9,999", "29,990", "59"},
		{"one sender, optimised", 3, false, "9,999", "29,989", "8.3"},
		{"many senders, optimised", 7, true, "9,999", "38,976", "17.2"},
	} {
		payloads, control, last := plant(r, hyparview.Paper(), plumtree.Paper(row.threshold, hop), nil).cost(row.many)
		t.row(row.name, row.payloads, percent(payloads), row.control, percent(control), row.last, percent(last))
	}
	return t
}

// cost is the mean of ten broadcasts once the tree has settled.
func (o *orchard) cost(many bool) (payloads, control, last float64) {
	source := o.anyone()
	for i := range 40 {
		if many {
			source = o.anyone()
		}
		s := o.sow(source, time.Second)
		if i >= 30 {
			payloads, control, last = payloads+float64(s.payloads)/10, control+float64(s.control)/10, last+float64(s.LastHop)/10
		}
	}
	return payloads, control, last
}

func growthTable(r round) *table {
	t := newTable("broadcast", "1", "2", "3", "4", "10")
	t.row("published", "2.03", "0.89", "0.04", "0.017", "0.001")
	o := plant(r, hyparview.Paper(), plumtree.Paper(3, hop), nil)
	cells, source := []string{"here"}, o.anyone()
	for i := range 10 {
		if s := o.sow(source, time.Second); i < 4 || i == 9 {
			cells = append(cells, whole3(s.rmr()))
		}
	}
	t.row(cells...)
	return t
}

func felledTable(r round) *table {
	t := newTable("killed", "1st reaches, published", "here", "2nd reaches, here", "RMR 2, 3, 4, published", "here")
	for _, row := range []struct {
		percent    int
		first, rmr string
	}{{40, "98.7", "1.89, 0.055, 0.010"}, {60, "56", "2.26, 0.12, 0.018"}, {80, "0.1-0.7", "2.0, 0.36, 0.043"}} {
		o := plant(r, hyparview.Paper(), plumtree.Paper(3, hop), nil)
		source := o.anyone()
		for range 10 {
			o.sow(source, spacing)
		}
		o.fell(r.nodes*row.percent/100, source)
		first := o.sow(source, notice-hop)
		o.RunFor(o.hv.Shuffle)
		var rmr []string
		var second sown
		for i := range 3 {
			s := o.sow(source, spacing)
			if i == 0 {
				second = s
			}
			rmr = append(rmr, whole3(s.rmr()))
		}
		t.row(strconv.Itoa(row.percent)+" %", row.first, percent(first.reliability()), percent(second.reliability()), row.rmr, strings.Join(rmr, ", "))
	}
	return t
}

func unevenTable(r round) *table {
	t := newTable("threshold", "none", "3", "7")
	cells := []string{"last hop"}
	for _, threshold := range []uint32{0, 3, 7} {
		o := plant(r, hyparview.Paper(), plumtree.Paper(threshold, hop), func(c *sim.Config[word]) { c.Latency = ragged })
		cells = append(cells, percent(lastHops(o)))
	}
	t.row(cells...)
	return t
}
