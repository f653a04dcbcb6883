package main

import (
	"fmt"
	"math"
	"os"
	"slices"
	"text/tabwriter"
	"time"
)

// row is one line of the table: a node beside the others, zero where there is nothing
// to compare with.
type row struct {
	what             string
	node, raw, other float64
	unit             string
	want             string // what the project promises
}

func printTable(rows []row) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "WHAT\tBARREL\tRAW QUIC-GO\tGRPC OVER TLS\tOF RAW\tOF GRPC\tPROMISE")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.what, fmt.Sprint(digits(r.node), " ", r.unit), figure(r.raw, r.unit), figure(r.other, r.unit),
			share(r.node, r.raw), share(r.node, r.other), r.want)
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

func share(v, of float64) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", v/of)
}

// rate is how often per second.
func rate(n int, took time.Duration) float64 { return float64(n) / took.Seconds() }

// median is in microseconds.
func median(samples []time.Duration) float64 {
	slices.Sort(samples)
	return float64(samples[len(samples)/2].Nanoseconds()) / 1000
}
