package ownerlog

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// sign is a signature for tests in which nobody can take a SHA-256 but this function.
func sign(owner name.Node, message []byte) (sig Signature) {
	sum := sha256.Sum256(append([]byte("secret of "+owner.String()), message...))
	copy(sig[:], sum[:])
	return sig
}

func config(self name.Node, inc uint64) Config {
	cfg := Defaults()
	cfg.Self, cfg.Inc = self, inc
	cfg.Sign = func(m []byte) Signature { return sign(self, m) }
	cfg.Verify = func(owner name.Node, m []byte, sig *Signature) Verdict {
		switch {
		case owner == name.MustNode("stranger@h"):
			return Unknown
		case *sig == sign(owner, m):
			return Good
		}
		return Bad
	}
	return cfg
}

// bench is one owner and one replica of it.
type bench struct {
	t     testing.TB
	now   overlay.Time
	owner *Store
	store *Store
}

func newBench(t testing.TB, change func(*Config)) *bench {
	b := &bench{t: t, owner: New(config(name.MustNode("o@h"), 5))}
	cfg := config(name.MustNode("r@h"), 1)
	if change != nil {
		change(&cfg)
	}
	b.store = New(cfg)
	b.store.Up(0, name.MustNode("o@h"), 5)
	return b
}

// write makes a batch of pairs of key and value; an empty value removes.
func (b *bench) write(pairs ...string) *Batch {
	b.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		op := Op{Key: pairs[i], Val: pairs[i+1], Remove: pairs[i+1] == ""}
		if err := b.owner.Stage(op); err != nil {
			b.t.Fatal(err)
		}
	}
	batch := b.owner.Seal()
	if batch == nil {
		b.t.Fatal("nothing sealed")
	}
	return batch
}

// receive gives the replica a batch, as it comes over the wire.
func (b *bench) receive(batch *Batch) {
	b.t.Helper()
	copied, err := DecodeBatch(AppendBatch(nil, batch))
	if err != nil {
		b.t.Fatal(err)
	}
	b.store.Receive(b.now, copied)
	b.check()
}

// snapshot is what the owner would answer one who knows nothing.
func (b *bench) snapshot() *Snapshot {
	b.t.Helper()
	stream, _ := b.owner.Serve("o@h", 0, 0).Append(nil, 1<<30)
	var snap *Snapshot
	r := Reader{MaxItems: 1e6, MaxBytes: 1 << 30}
	if err := r.Add(stream, func(rec Record) { snap = rec.Snapshot }); err != nil || snap == nil || !r.Whole() {
		b.t.Fatalf("snapshot %v, %v", snap, err)
	}
	return snap
}

// serve lets the owner answer the replica, which has applied batches up to seq.
func (b *bench) serve(inc, seq uint64) {
	b.t.Helper()
	stream, done := b.owner.Serve("o@h", inc, seq).Append(nil, 1<<30)
	r := Reader{MaxItems: 1e6, MaxBytes: 1 << 30}
	err := r.Add(stream, func(rec Record) {
		b.store.Take(b.now, rec)
		b.check()
	})
	if err != nil || !done || !r.Whole() {
		b.t.Fatalf("served %d bytes: %v", len(stream), err)
	}
}

func (b *bench) merge(snap *Snapshot) {
	b.t.Helper()
	b.store.Merge(b.now, snap)
	b.check()
}

func (b *bench) check() {
	b.t.Helper()
	for _, s := range []*Store{b.owner, b.store} {
		if err := s.Check(); err != nil {
			b.t.Fatal(err)
		}
	}
}

// expect compares what the replica shows of the owner.
func (b *bench) expect(pairs ...string) {
	b.t.Helper()
	got := map[string]string{}
	b.store.Entries(func(owner string, _ uint64, item Item) { got[item.Key] = item.Val })
	want := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		want[pairs[i]] = pairs[i+1]
	}
	for key := range got {
		if want[key] != got[key] {
			b.t.Errorf("%q is %q, want %q", key, got[key], want[key])
		}
	}
	if len(got) != len(want) {
		b.t.Errorf("shown: %v, want %v", got, want)
	}
}

// changes lists what changed since the last call.
func (b *bench) changes() (list []string) {
	words := [...]string{Added: "added", Updated: "updated", Removed: "removed", Hidden: "hidden"}
	for _, c := range b.store.Changes() {
		text := words[c.Kind] + " " + c.Key + "=" + c.Val
		if c.Reason != "" {
			text += " " + c.Reason
		}
		list = append(list, text)
	}
	return list
}

const minute = time.Minute
