package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// row is one line of the table: a node beside the others, zero where there is nothing
// to compare with.
type row struct {
	what             string
	node, raw, other float64
	ofRaw, ofOther   float64
	unit             string
	want             promise
}

// promise is what the project promises of a row: the least and the most that a figure, or
// its share of another, may be. Zero: nothing.
type promise struct {
	most, least             float64
	ofRaw, mostOfRaw, other float64
}

// kept says what is wrong with a row, or nothing.
func (p promise) kept(r row) (missed []string) {
	miss := func(broken bool, format string, args ...any) {
		if broken {
			missed = append(missed, fmt.Sprintf("%s: ", r.what)+fmt.Sprintf(format, args...))
		}
	}
	miss(p.most > 0 && r.node > p.most, "%s %s, promised: at most %s", digits(r.node), r.unit, digits(p.most))
	miss(p.least > 0 && r.node < p.least, "%s %s, promised: at least %s", digits(r.node), r.unit, digits(p.least))
	miss(p.ofRaw > 0 && r.ofRaw < p.ofRaw, "%.2f of raw quic-go, promised: at least %.2f", r.ofRaw, p.ofRaw)
	miss(p.mostOfRaw > 0 && r.ofRaw > p.mostOfRaw, "%.2f of raw quic-go, promised: at most %.2f", r.ofRaw, p.mostOfRaw)
	miss(p.other > 0 && r.ofOther < p.other, "%.2f of gRPC, promised: at least %.2f", r.ofOther, p.other)
	return missed
}

// String is the promise as the table has it.
func (p promise) String() string {
	var words []string
	say := func(v float64, format string) {
		if v > 0 {
			words = append(words, fmt.Sprintf(format, digits(v)))
		}
	}
	say(p.most, "at most %s")
	say(p.least, "at least %s")
	say(p.ofRaw, "%s of raw")
	say(p.mostOfRaw, "at most %s of raw")
	say(p.other, "%s of gRPC")
	return strings.Join(words, ", ")
}

// check is an error that names every promise that was not kept.
func check(rows []row) error {
	var missed []error
	for _, r := range rows {
		for _, text := range r.want.kept(r) {
			missed = append(missed, errors.New(text))
		}
	}
	return errors.Join(missed...)
}

func printTable(rows []row) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "WHAT\tBARREL\tRAW QUIC-GO\tGRPC OVER TLS\tOF RAW\tOF GRPC\tPROMISE")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.what, fmt.Sprint(digits(r.node), " ", r.unit), figure(r.raw, r.unit), figure(r.other, r.unit),
			share(r.ofRaw), share(r.ofOther), r.want)
	}
	_ = w.Flush()
}

func figure(v float64, unit string) string {
	if v == 0 {
		return "-"
	}
	return digits(v) + " " + unit
}

func digits(v float64) string {
	switch {
	case v >= 1000 || v == math.Trunc(v):
		return fmt.Sprintf("%.0f", v)
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.1f", v)
}

func share(v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", v)
}

// rate is how often per second.
func rate(n int, took time.Duration) float64 { return float64(n) / took.Seconds() }

// median is in microseconds.
func median(samples []time.Duration) float64 {
	slices.Sort(samples)
	return float64(samples[len(samples)/2].Nanoseconds()) / 1000
}
