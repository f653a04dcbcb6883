package ownerlog

import (
	"bytes"
	"errors"
	"testing"
)

func samples(f *testing.F) (batch, snapshot []byte) {
	b := newBench(f, nil)
	one := b.write("k", "v", "l", "w")
	batch = AppendBatch(nil, one)
	snapshot, _ = b.owner.Serve("o@h", 0, 0).Append(nil, 1<<20)
	return batch, snapshot
}

// FuzzDecodeBatch: no bytes crash it, and what decodes is written the same way again.
func FuzzDecodeBatch(f *testing.F) {
	batch, snapshot := samples(f)
	f.Add(batch)
	f.Add(snapshot)
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := DecodeBatch(data)
		if err != nil {
			if !errors.Is(err, ErrFrame) {
				t.Fatalf("error %v is no ErrFrame", err)
			}
			return
		}
		if again := AppendBatch(nil, b); !bytes.Equal(again, data) {
			t.Fatalf("%x became %x", data, again)
		}
	})
}

// FuzzReader: a stream says the same however it is cut, and a store takes whatever comes
// out of it.
func FuzzReader(f *testing.F) {
	batch, snapshot := samples(f)
	f.Add(append(bytes.Clone(batch), snapshot...), 7)
	f.Add(append(bytes.Clone(snapshot), batch...), 1)
	f.Fuzz(func(t *testing.T, data []byte, cut int) {
		whole, pieces := Reader{MaxItems: 100, MaxBytes: 1000}, Reader{MaxItems: 100, MaxBytes: 1000}
		b := newBench(t, nil)
		n := 0
		err := whole.Add(data, func(r Record) {
			n++
			b.store.Take(0, r)
		})
		b.check()
		cut = min(max(cut, 0), len(data))
		m := 0
		second := pieces.Add(data[:cut], func(Record) { m++ })
		if second == nil {
			second = pieces.Add(data[cut:], func(Record) { m++ })
		}
		if (err == nil) != (second == nil) || n != m {
			t.Fatalf("in one: %d records, %v; cut at %d: %d, %v", n, err, cut, m, second)
		}
	})
}
