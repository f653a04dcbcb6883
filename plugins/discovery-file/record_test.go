package discoveryfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
)

func TestLookupOfBrokenFiles(t *testing.T) {
	node := name.MustNode("b@h")
	tests := []struct {
		name, content, want string
	}{
		{"empty", "", "no endpoint document"},
		{"not JSON", "10.0.0.1:9100\n", "no endpoint document"},
		{"trailing data", `{"node":"b@h","endpoints":["h:1"]} {}`, "no endpoint document"},
		{"another node", `{"node":"c@h","endpoints":["h:1"]}`, `about node "c@h"`},
		{"no node", `{"endpoints":["h:1"]}`, `about node ""`},
		{"no endpoints", `{"node":"b@h","endpoints":[]}`, "no endpoints"},
		{"null endpoints", `{"node":"b@h","endpoints":null}`, "no endpoints"},
		{"bad endpoint", `{"node":"b@h","endpoints":["h:0"]}`, "port"},
		{"empty endpoint", `{"node":"b@h","endpoints":[""]}`, "empty endpoint"},
		{"too many endpoints", `{"node":"b@h","endpoints":["h:1"` + strings.Repeat(`,"h:1"`, maxEndpoints) + `]}`, "65 endpoints"},
		{"too large", `{"node":"b@h","endpoints":["h:1"]}` + strings.Repeat(" ", maxFile), "too large"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			env := plugintest.Env(t, "a@h")
			writeRaw(t, env, "b@h.endpoint", []byte(test.content))
			_, err := create(t, env, testPoll).Lookup(t.Context(), node)
			expectTold(t, err, test.want)
		})
	}
}

func expectTold(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || errors.Is(err, discovery.ErrNotFound) {
		t.Fatalf("Lookup says %v: a file that cannot be used is neither an answer nor not found", err)
	}
	if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "discovery") {
		t.Errorf("error %q should name the place and say %q", err, want)
	}
}

func TestLookupOfThingsThatAreNoFiles(t *testing.T) {
	tests := []struct {
		name string
		make func(path string) error
		want string
	}{
		{"link out of the folder", func(path string) error {
			outside := filepath.Join(filepath.Dir(filepath.Dir(path)), "outside")
			content := []byte(`{"node":"b@h","endpoints":["h:1"]}`)
			return errors.Join(os.WriteFile(outside, content, 0o600), os.Symlink(outside, path))
		}, "symbolic link"},
		{"pipe", func(path string) error { return syscall.Mkfifo(path, 0o600) }, "not a file"},
		{"folder", func(path string) error { return os.Mkdir(path, 0o700) }, "not a file"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			env := plugintest.Env(t, "a@h")
			dir := filepath.Join(env.DataDir, "discovery")
			if err := errors.Join(os.Mkdir(dir, 0o755), test.make(filepath.Join(dir, "b@h.endpoint"))); err != nil {
				t.Fatal(err)
			}
			b := create(t, env, testPoll)
			_, err := b.Lookup(t.Context(), name.MustNode("b@h"))
			expectTold(t, err, test.want)
			if listing, err := b.List(t.Context()); err != nil || len(listing.Records) > 0 || listing.Complete {
				t.Errorf("listing %+v, %v", listing, err)
			}
		})
	}
}

func TestLookupWithoutFolder(t *testing.T) {
	b := create(t, plugintest.Env(t, "a@h"), testPoll)
	_, err := b.Lookup(t.Context(), name.MustNode("b@h"))
	expectTold(t, err, "no such file")
	if _, err := b.List(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("List without a folder says %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	node := name.MustNode("b@h")
	f.Add([]byte(`{"node":"b@h","endpoints":["h:1","[fd00::1]:2"],"incarnation":18446744073709551615,"written":"2026-11-20T10:00:00Z"}`))
	f.Add([]byte(`{"node":"b@H","endpoints":["h:1"],"written":"9999-12-31T23:59:59-23:59"}`))
	f.Add([]byte(`{"node":"b@h","endpoints":[null]}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		record, err := decode(data, node)
		if err != nil {
			return
		}
		if record.Node != node || len(record.Endpoints) == 0 {
			t.Fatalf("accepted %+v", record)
		}
		again, err := encode(record)
		if err != nil {
			return // a year that JSON cannot write
		}
		if back, err := decode(again, node); err != nil || !(file{record: back}).same(file{record: record}) {
			t.Fatalf("%s reads back as %+v, %v", again, back, err)
		}
	})
}
