package discoveryfile

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
)

// put writes an endpoint file in place and returns its path.
func put(t *testing.T, dir, node, endpoint string) string {
	t.Helper()
	path := filepath.Join(dir, node+suffix)
	data, err := encode(discovery.Record{Node: name.MustNode(node), Endpoints: []name.Address{name.MustAddress(endpoint)}})
	if err := errors.Join(err, os.WriteFile(path, data, 0o600)); err != nil {
		t.Fatal(err)
	}
	return path
}

func changed(t *testing.T, changes []change, want ...string) {
	t.Helper()
	var got []string
	for _, c := range changes {
		what := "gone"
		if len(c.now.record.Endpoints) > 0 {
			what = c.now.record.Endpoints[0].String()
		}
		got = append(got, c.file+" "+what)
	}
	if !slices.Equal(got, want) {
		t.Errorf("changes %q, want %q", got, want)
	}
}

// A glance looks at the files that it is told of; the next look finds what else happened.
func TestAGlanceLooksAtWhatItIsToldOf(t *testing.T) {
	dir, f := t.TempDir(), folder{}
	for _, node := range []string{"a@h", "b@h", "c@h"} {
		put(t, dir, node, "h:1")
	}
	changes, err := f.look(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	changed(t, changes, "a@h.endpoint h:1", "b@h.endpoint h:1", "c@h.endpoint h:1")
	put(t, dir, "a@h", "h:2")
	put(t, dir, "c@h", "h:2")
	put(t, dir, "d@h", "h:2")
	if err := os.Remove(filepath.Join(dir, "b@h.endpoint")); err != nil {
		t.Fatal(err)
	}
	some := map[string]bool{"a@h.endpoint": true, "b@h.endpoint": true, "d@h.endpoint": true, "e@h.endpoint": true}
	changed(t, f.glance(dir, some, time.Now()), "a@h.endpoint h:2", "b@h.endpoint gone", "d@h.endpoint h:2")
	changed(t, f.glance(dir, some, time.Now()))
	changes, err = f.look(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	changed(t, changes, "c@h.endpoint h:2")
}

// A file that was read just after it was written may have been written again within one
// tick of its clock: then it looks the same, however much later that is noticed.
func TestAFileThatWasReadEarlyIsReadAgain(t *testing.T) {
	dir, f := t.TempDir(), folder{}
	written := time.Now().Add(-time.Hour).Truncate(time.Millisecond).Add(time.Millisecond / 2)
	for _, step := range []struct {
		endpoint string
		now      time.Time
	}{{"h:1", written.Add(tick / 2)}, {"h:2", written.Add(time.Minute)}} {
		if err := os.Chtimes(put(t, dir, "a@h", step.endpoint), written, written); err != nil {
			t.Fatal(err)
		}
		changes, err := f.look(dir, step.now)
		if err != nil {
			t.Fatal(err)
		}
		changed(t, changes, "a@h.endpoint "+step.endpoint)
	}
}

// Where there are file events nothing waits for the next look at the whole folder.
func TestEventsAreEnough(t *testing.T) {
	env := plugintest.Env(t, "a@h")
	b := running(t, env, time.Hour)
	publish(t, b, "h:9100")
	told, err := b.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	node := name.MustNode("b@h")
	expect := func(why string) {
		t.Helper()
		for deadline := time.After(plugintest.Patience); ; {
			select {
			case got := <-told:
				if got == node {
					return
				}
			case <-deadline:
				t.Fatalf("%s: nothing was told", why)
			}
		}
	}
	put(t, b.dir, "b@h", "h:1")
	expect("it came")
	put(t, b.dir, "b@h", "h:2")
	expect("it changed")
	if err := os.Remove(filepath.Join(b.dir, "b@h"+suffix)); err != nil {
		t.Fatal(err)
	}
	expect("it went")
	if err := os.RemoveAll(b.dir); err != nil {
		t.Fatal(err)
	}
	plugintest.Eventually(t, "the folder and the own entry are put back", at(b, env.Node, "h:9100"))
	put(t, b.dir, "b@h", "h:3")
	expect("it came to the new folder")
}
