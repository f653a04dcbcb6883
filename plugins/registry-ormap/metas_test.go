package registryormap

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/registry"
)

// What is shared is the same: whatever was read before, an entry has its own metadata.
func TestSharedMetadata(t *testing.T) {
	known := newMetas()
	want := []map[string]string{{}, {"k": strings.Repeat("long", metaMost)}}
	for i := range 3 * metaSlots {
		want = append(want, map[string]string{"load": fmt.Sprint(i), "zone": "a"})
	}
	for range 3 {
		for _, meta := range want {
			for _, since := range []int64{1, 1 << 40} {
				e := registry.Entry{Since: time.Unix(0, since).UTC(), Meta: meta}
				at, got, err := parseValue(valueOf(&e), known)
				if err != nil || !at.Equal(e.Since) || !maps.Equal(got, meta) {
					t.Fatalf("%v at %v became %v at %v, %v", meta, e.Since, got, at, err)
				}
			}
		}
	}
	val := valueOf(&registry.Entry{Meta: want[2]})
	_, one, _ := parseValue(val, known)
	if n := testing.AllocsPerRun(10, func() { _, _, _ = parseValue(val, known) }); n != 0 || len(one) != 2 {
		t.Errorf("%v allocations for metadata that is known", n)
	}
	if _, _, err := parseValue(val+"x", known); err == nil {
		t.Error("more than metadata is read")
	}
}
