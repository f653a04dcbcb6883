package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// The values of -o.
const (
	outputTable = "table"
	outputJSON  = "json"
)

// outputFlag adds -o to a command.
func (a *app) outputFlag(cmd *cobra.Command) {
	cmd.Flags().VarP((*outputValue)(&a.output), "output", "o", "table or json")
	a.output = outputTable
	_ = cmd.RegisterFlagCompletionFunc("output", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return []string{outputTable, outputJSON}, cobra.ShellCompDirectiveNoFileComp
	})
}

// outputValue is the flag -o; it takes what there is and nothing else.
type outputValue string

func (v *outputValue) String() string { return string(*v) }
func (v *outputValue) Type() string   { return "FORMAT" }
func (v *outputValue) Set(text string) error {
	if text != outputTable && text != outputJSON {
		return fmt.Errorf("there is %s and %s", outputTable, outputJSON)
	}
	*v = outputValue(text)
	return nil
}

func (a *app) json() bool { return a.output == outputJSON }

// show prints a result: as one JSON document, or as rows of cells.
func (a *app) show(document any, rows [][]string) error {
	if !a.json() {
		return a.table(rows)
	}
	body, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s\n", body)
	return err
}

// showLine prints one document of a stream on one line.
func (a *app) showLine(document any, line string) error {
	if a.json() {
		body, err := json.Marshal(document)
		if err != nil {
			return err
		}
		line = string(body)
	}
	_, err := fmt.Fprintln(a.stdout, line)
	return err
}

// table prints rows in aligned columns.
func (a *app) table(rows [][]string) error {
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = strings.ReplaceAll(clean(cell), "\n", `\n`)
		}
		_, _ = fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		if _, err := fmt.Fprintln(a.stdout, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// clean makes a text from elsewhere safe to print: no control characters reach the
// terminal.
func clean(s string) string {
	bad := func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' || r == unicode.ReplacementChar }
	if !strings.ContainsFunc(s, bad) {
		return s
	}
	return strings.Trim(strconv.Quote(s), `"`)
}

// payloadText is a payload for people: as it is if it is printable text.
func payloadText(payload []byte) string { return clean(strings.TrimSuffix(string(payload), "\n")) }

// ago is how long before now a time was, and "-" for no time.
func (a *app) ago(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return short(max(a.now().Sub(t).Round(time.Second), 0)) + " ago"
}

// stamp is a time in UTC to the second, and "-" for no time.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// short is a duration with no more digits than a person wants.
func short(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Second:
		return d.Round(100 * time.Microsecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	case d < time.Hour:
		return trimZero(d.Round(time.Second).String())
	case d < 48*time.Hour:
		return trimZero(d.Round(time.Minute).String())
	}
	return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d/time.Hour%24)
}

// trimZero turns 1h0m0s into 1h.
func trimZero(s string) string {
	if head, ok := strings.CutSuffix(s, "m0s"); ok {
		s = head + "m"
	}
	if head, ok := strings.CutSuffix(s, "h0m"); ok {
		s = head + "h"
	}
	return s
}

func shortAdmin(d admin.Duration) string { return short(time.Duration(d)) }

// size is a number of bytes with a unit.
func size(n uint64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, units := float64(n), "KMGTPE"
	i := -1
	for value >= unit && i < len(units)-1 {
		value /= unit
		i++
	}
	return fmt.Sprintf("%.1f %ciB", value, units[i])
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func count(n int) string { return strconv.Itoa(n) }

func joined[T fmt.Stringer](items []T) string {
	words := make([]string, len(items))
	for i, item := range items {
		words[i] = item.String()
	}
	return orDash(strings.Join(words, ", "))
}

func parseNode(text string) (name.Node, error) { return name.ParseNode(text) }
