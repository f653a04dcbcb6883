package process

// How many messages are delivered together at most, and to how many receivers.
const (
	maxRun  = 32
	maxRuns = 8
)

// run is messages from elsewhere for one receiver: they are delivered together, as soon
// as nothing more has come. It belongs to the reader of the stream.
type run struct {
	in      *inbound
	entries []entry
	bytes   int
}

// line adds a message to the run of its receiver.
func (in *intake) line(a *inbound, f *frame) {
	r := a.run
	if r == nil || len(r.entries) == maxRun {
		r = in.begin(a)
	}
	n := len(r.entries)
	if n == cap(r.entries) {
		r.entries = append(r.entries, entry{})
	}
	r.entries = r.entries[:n+1]
	e := &r.entries[n] // has been cleared
	e.account, e.sender, e.size = a, f.sender, uint32(len(f.data))
	e.read(f, in.procs.types)
	r.bytes += len(f.data)
}

// begin gives a receiver a run.
func (in *intake) begin(a *inbound) *run {
	if a.run != nil || in.running == maxRuns {
		in.flush()
	}
	r := &in.runs[in.running]
	in.running++
	r.in, a.run = a, r
	return r
}

// flush delivers all runs. Nothing may overtake them.
func (in *intake) flush() {
	for i := range in.running {
		in.end(&in.runs[i])
	}
	in.running = 0
}

// end delivers a run. What does not go the short way goes the long one, one by one.
func (in *intake) end(r *run) {
	for i := in.deliver(r); i < len(r.entries); i++ {
		e := &r.entries[i]
		l := letter{entry: *e, in: r.in, held: in.guest.hold(int(e.size))}
		l.deliver(nil)
	}
	clear(r.entries)
	r.in.run = nil
	r.in, r.entries, r.bytes = nil, r.entries[:0], 0
}

// deliver puts as many messages of the run into the mailbox as it takes, and tells how
// many that were.
func (in *intake) deliver(r *run) int {
	if in.procs.draining.Load() || !in.guest.hold(r.bytes) {
		return 0
	}
	taken := 0
	if proc, err := r.in.find(in.procs); err == nil {
		taken = proc.box.addAll(r.entries)
	}
	for i := taken; i < len(r.entries); i++ {
		in.guest.letGo(int(r.entries[i].size))
	}
	return taken
}

// tab is what has left a mailbox and has not been accounted for: messages of one
// account. It belongs to the goroutine of the process.
type tab struct {
	in              *inbound
	messages, bytes int
}

// Receipts are kept back up to these bounds, less than what is given in advance.
const (
	tabMessages = leastMessages / 4
	tabBytes    = 4 << 10
)

func (t *tab) note(e *entry) {
	if t.in != e.account {
		t.settle()
		t.in = e.account
	}
	t.messages++
	t.bytes += int(e.size)
	if t.messages >= tabMessages || t.bytes >= tabBytes {
		t.settle()
	}
}

func (t *tab) settle() {
	if t.in != nil {
		t.in.consumed(t.messages, t.bytes)
		*t = tab{}
	}
}
