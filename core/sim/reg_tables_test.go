package sim_test

import (
	"fmt"
	"strings"
	"time"
)

// registryTables are the checks of the registry, with what they measured.
func registryTables(r round) string {
	var text strings.Builder
	fmt.Fprintf(&text, "The registry, %d nodes, seed %d, entries of %d bytes, latencies of 1 to 20 ms.\n\n", r.nodes, r.seed, entrySize)
	t := newTable("check", "", "bound", "here")
	row := func(check, what, bound, format string, value any) {
		t.row(check, what, bound, fmt.Sprintf(format, value))
	}

	w := enroll(r, 10, calm)
	took, rate := w.writing(60)
	row("REG-1", "a write a second for a minute: all replicas are equal after", "15 s", "%v", took)
	row("", "repair at each node meanwhile", "0.5 kB/s", "%.3f kB/s", rate/1000)
	from := w.repair()
	w.RunFor(time.Minute)
	row("", "repair at each node when nobody writes", "0.5 kB/s", "%.3f kB/s", float64(w.repair()-from)/60/1000/float64(r.nodes))
	clear(w.hidden)
	n, hidden := w.evictions(1000), len(w.hidden)
	took, bytes, size := w.joining()
	row("REG-2", "a node joins: it has the whole registry after", "3 s", "%v", took)
	row("", "bytes for that, by those of the entries", "1.2", "%.2f", float64(bytes)/float64(size))
	row("REG-3", fmt.Sprintf("entries hidden by %d evictions", n), "0", "%d", hidden)
	took, others := w.killing()
	row("REG-4", "an owner is killed: its entries are hidden everywhere after", "9 s", "%v", took)
	row("", "entries of others that were hidden", "0", "%d", others)
	row("REG-5", "an owner restarts within 200 ms: only the new life is seen after", "", "%v", w.restarting())
	row("", "entries of the old life shown after the first of the new", "0", "%d", len(w.faults))
	registrySplitRows(r, row)
	registryRoughRows(r, row)
	text.WriteString(t.String())
	return text.String()
}

func registrySplitRows(r round, row func(check, what, bound, format string, value any)) {
	w := enroll(r, 10, calm)
	took, bytes, differences := w.splitting(3*time.Minute + 27*time.Minute*time.Duration(truth(r.long)))
	row("REG-6", "30/70 for half an hour, removals on both sides: equal after", "30 s", "%v", took)
	row("", "bytes of repair, by those of the differences", "3", "%.2f", float64(bytes)/float64(differences))
	row("", "removed entries that came back", "0", "%d", len(w.faults))
	small := enroll(round{seed: r.seed, nodes: min(r.nodes, 20)}, 3, calm)
	took = small.absent(r.long)
	row("REG-7", "a node of 20 is back after 25 h: equal after", "", "%v", took)
	row("", "entries of the dead that came back", "0", "%d", small.resurrected())
}

// registryRoughRows are the checks once more in bad weather, with the same bounds.
func registryRoughRows(r round, row func(check, what, bound, format string, value any)) {
	w := enroll(r, 5, rough)
	took, rate := w.writing(30)
	row("REG-8", "10 % loss, repeats, reordering: half a minute of writes: equal after", "15 s", "%v", took)
	row("", "repair at each node meanwhile", "0.5 kB/s", "%.3f kB/s", rate/1000)
	took, bytes, size := w.joining()
	row("", "a node joins: it has the whole registry after", "3 s", "%v", took)
	row("", "bytes for that, by those of the entries", "1.2", "%.2f", float64(bytes)/float64(size))
	n := w.evictions(300)
	row("", fmt.Sprintf("entries hidden by %d evictions", n), "0", "%d", len(w.hidden))
	row("", "an owner restarts: only the new life is seen after", "15 s", "%v", w.restarting())
	took, others := w.killing()
	row("", "an owner is killed: its entries are hidden everywhere after", "9 s", "%v", took)
	row("", "entries of others that were hidden", "0", "%d", others)
	took, bytes, differences := w.splitting(2 * time.Minute)
	row("", "30/70 for two minutes, removals on both sides: equal after", "30 s", "%v", took)
	row("", "bytes of repair, by those of the differences", "3", "%.2f", float64(bytes)/float64(differences))
	row("", "entries shown that are older than others before", "0", "%d", len(w.faults))
	small := enroll(round{seed: r.seed, nodes: min(r.nodes, 20)}, 3, rough)
	took = small.absent(r.long)
	row("", "a node of 20 is back after 25 h: equal after", "", "%v", took)
	row("", "entries of the dead that came back", "0", "%d", small.resurrected())
}

// resurrected counts the entries that somebody sees of those that do not run.
func (w *registrar) resurrected() (n int) {
	for _, p := range w.Living() {
		if extra := w.count(p) - w.total(); extra > 0 {
			n += extra
		}
	}
	return n
}

func (w *registrar) total() (n int) {
	for p, own := range w.offered {
		if w.Up(p) {
			n += len(own)
		}
	}
	return n
}
