package index_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/registry/index"
)

func entry(service, node string, id uint64, value string) registry.Entry {
	return registry.Entry{
		Service: name.MustService(service), Ref: name.Ref{Node: name.MustNode(node), Incarnation: 1, ID: id},
		Meta: map[string]string{"v": value},
	}
}

func text(list []registry.Entry) (out string) {
	for _, e := range list {
		out += fmt.Sprintf("%s/%d=%s ", e.Ref.Node.Base(), e.Ref.ID, e.Meta["v"])
	}
	return out
}

func TestOwnFirstThenByReference(t *testing.T) {
	x := index.New(name.MustNode("m@h"))
	x.Apply(index.Change{Entry: entry("s", "z@h", 1, "1")}, index.Change{Entry: entry("s", "m@h", 9, "1")},
		index.Change{Entry: entry("s", "a@h", 7, "1")}, index.Change{Entry: entry("s", "m@h", 2, "1")}, index.Change{Entry: entry("s", "a@h", 3, "1")})
	if got := text(x.Lookup(name.MustService("s"))); got != "m/2=1 m/9=1 a/3=1 a/7=1 z/1=1 " {
		t.Errorf("order %s", got)
	}
}

// TestAgainstAMap: whatever is put and removed, in whatever batches, is there or not;
// and what was read before stays as it was.
func TestAgainstAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := index.New(name.MustNode("a@h"))
		model := map[string]registry.Entry{}
		type read struct {
			list []registry.Entry
			text string
		}
		var reads []read
		for i := range rapid.IntRange(1, 20).Draw(t, "batches") {
			var batch []index.Change
			for range rapid.IntRange(1, 5).Draw(t, "changes") {
				e := entry(rapid.SampledFrom([]string{"s", "t/u", "t/v"}).Draw(t, "service"), rapid.SampledFrom([]string{"a@h", "b@h"}).Draw(t, "node"),
					rapid.Uint64Range(1, 3).Draw(t, "id"), fmt.Sprint(i))
				remove := rapid.Bool().Draw(t, "remove")
				key := e.Service.String() + " " + e.Ref.String()
				if model[key] = e; remove {
					delete(model, key)
				}
				batch = append(batch, index.Change{Entry: e, Remove: remove})
			}
			x.Apply(batch...)
			list := x.Lookup(name.MustService("s"))
			reads = append(reads, read{list, text(list)})
		}
		n := 0
		for _, c := range x.List("") {
			for _, e := range x.Lookup(c.Service) {
				if want := model[e.Service.String()+" "+e.Ref.String()]; want.Meta["v"] != e.Meta["v"] {
					t.Fatalf("%v, want %v", e, want)
				}
				n++
			}
		}
		if n != len(model) || x.Len() != n {
			t.Fatalf("%d entries, size %d, want %d", n, x.Len(), len(model))
		}
		for _, r := range reads {
			if text(r.list) != r.text {
				t.Fatalf("an answer changed from %s to %s", r.text, text(r.list))
			}
		}
	})
}

func TestListByPrefix(t *testing.T) {
	x := index.New(name.MustNode("a@h"))
	for i, s := range []string{"room/b", "zoo", "room/a", "room/a", "roo"} {
		x.Apply(index.Change{Entry: entry(s, "a@h", uint64(i+1), "1")})
	}
	want := []registry.Count{{Service: name.MustService("room/a"), Instances: 2}, {Service: name.MustService("room/b"), Instances: 1}}
	if got := x.List("room/"); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := x.List("nothing"); got == nil || len(got) != 0 {
		t.Errorf("nothing: %v", got)
	}
}

func BenchmarkLookup(b *testing.B) {
	x := index.New(name.MustNode("a@h"))
	var list []index.Change
	for i := range 100_000 {
		list = append(list, index.Change{Entry: entry(fmt.Sprintf("service/%d", i/2), fmt.Sprintf("n%d@h", i%2), uint64(i+1), "1")})
	}
	x.Apply(list...)
	service := name.MustService("service/700")
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if len(x.Lookup(service)) != 2 {
				b.Fail()
			}
		}
	})
}
