package external

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/plugin"
)

func itoa(n int) string { return strconv.Itoa(n) }

// A process that cannot be used is an error of Start that says why in its own last
// words, and nothing is left of it.
func TestStartSaysWhyNot(t *testing.T) {
	short := quick()
	short.Start = time.Second
	tests := map[string]struct {
		kind plugin.Kind
		args []string
		opts Options
		want error
		text []string
	}{
		"dies early":        {plugin.Discovery, []string{"dies early"}, quick(), ErrNotReady, []string{"exit status 3", "cannot read the list of nodes: permission denied"}},
		"silent":            {plugin.Discovery, []string{"silent"}, short, ErrNotReady, []string{"within 1s"}},
		"start fails":       {plugin.Discovery, []string{"start fails"}, quick(), nil, []string{"no credentials in /etc/mine"}},
		"crashes in start":  {plugin.Discovery, []string{"crashes in start"}, quick(), plugin.ErrGone, []string{"exit status 2", "panic: pool is empty"}},
		"another greeting":  {plugin.Discovery, []string{"line", "1|9|unix|/tmp/x|grpc|"}, quick(), ErrVersion, []string{"9"}},
		"another protocol":  {plugin.Discovery, []string{"line", "1|1|unix|/tmp/x|netrpc|"}, quick(), ErrNotReady, nil},
		"a foreign socket":  {plugin.Discovery, []string{"line", "1|1|tcp|10.0.0.1:22|grpc|"}, quick(), ErrNotReady, []string{"10.0.0.1:22"}},
		"a socket outside":  {plugin.Discovery, []string{"line", "1|1|unix|/var/run/docker.sock|grpc|"}, quick(), ErrNotReady, []string{"docker.sock"}},
		"a bad certificate": {plugin.Discovery, []string{"line", "1|1|unix|/tmp/x|grpc|" + strings.Repeat("!", 100)}, quick(), ErrNotReady, nil},
		"another contract":  {plugin.Discovery, []string{"another contract"}, quick(), ErrVersion, []string{`it speaks ["barrel.plugin.discovery.v9"]`, "one of the two is too old"}},
		"another kind":      {plugin.Discovery, []string{"trust"}, quick(), ErrVersion, []string{"it is a trust plugin", "discovery/test"}},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, test.opts, self(t, test.kind, test.args...), nil)
			err := w.facade.Start(t.Context())
			if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.HasPrefix(err.Error(), "discovery(test): ") {
				t.Errorf("error %v, want %v", err, test.want)
			}
			for _, text := range test.text {
				if err != nil && !strings.Contains(err.Error(), text) {
					t.Errorf("the error does not say %q: %v", text, err)
				}
			}
			if w.pid() != 0 {
				t.Errorf("process %d is left", w.pid())
			}
		})
	}
}

func TestSettingsAreCheckedInThePlugin(t *testing.T) {
	t.Parallel()
	spec := self(t, plugin.Discovery, "good")
	section := plugin.Section{"port": int64(0)}
	said, problems, err := Check(t.Context(), spec, quick(), section, newWorld(t, quick(), spec, nil).facade.env.Log)
	want := plugin.Problem{Path: "port", Text: "must not be 0", Hint: "write 9100"}
	if err != nil || len(problems) != 1 || problems[0] != want || said.Version != "1.2.3" {
		t.Errorf("said %v, problems %v, %v", said, problems, err)
	}
	_, problems, err = Check(t.Context(), spec, quick(), plugin.Section{"prot": int64(1)}, newWorld(t, quick(), spec, nil).facade.env.Log)
	if err != nil || len(problems) != 1 || !strings.Contains(problems[0].Hint, `"port"`) {
		t.Errorf("problems %v, %v", problems, err)
	}
	w := newWorld(t, quick(), spec, section)
	var wrong *plugin.SettingsError
	if err := w.facade.Start(t.Context()); !errors.As(err, &wrong) || wrong.Problems[0] != want {
		t.Errorf("Start: %v", err)
	}
}

// copied is the test binary under a name of its own.
func copied(t *testing.T) string {
	t.Helper()
	from, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "plugin")
	if err := os.WriteFile(to, text, 0o700); err != nil {
		t.Fatal(err)
	}
	return to
}

func TestTheChecksumDecides(t *testing.T) {
	t.Parallel()
	spec := self(t, plugin.Discovery, "good")
	sum, err := Checksum(spec.Command)
	if err != nil {
		t.Fatal(err)
	}
	spec.SHA256 = []string{strings.Repeat("0", 64), strings.ToUpper(sum)}
	w := newWorld(t, quick(), spec, nil)
	if err := w.facade.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.expectWorks()

	spec.SHA256 = spec.SHA256[:1]
	other := newWorld(t, quick(), spec, nil)
	err = other.facade.Start(t.Context())
	if !errors.Is(err, ErrChecksum) || !strings.Contains(err.Error(), sum) || !strings.Contains(err.Error(), "barrel plugin pin "+spec.Command) {
		t.Errorf("error %v", err)
	}
}

// What runs is what was hashed, whatever is put in its place between the two.
func TestASwappedProgramDoesNotRun(t *testing.T) {
	t.Parallel()
	spec := self(t, plugin.Discovery, "good")
	spec.Command = copied(t)
	sum, err := Checksum(spec.Command)
	if err != nil {
		t.Fatal(err)
	}
	spec.SHA256 = []string{sum}
	loaded, err := loadProgram(spec, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer loaded.close()
	if err := os.WriteFile(spec.Command, []byte("#!/bin/sh\necho swapped >&2\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := loaded.file.WriteString("swapped"); err == nil {
		t.Error("the copy can be written to after it was hashed")
	}
	out, err := runLoaded(t, loaded)
	if err != nil || !strings.Contains(out, "PASS") {
		t.Errorf("what ran said %q, %v", out, err)
	}
	if _, err := loadProgram(spec, t.TempDir()); !errors.Is(err, ErrChecksum) {
		t.Errorf("the swapped file: %v", err)
	}
}

func TestSocketPathTooLong(t *testing.T) {
	t.Parallel()
	opts := quick()
	opts.SocketDir = filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	w := newWorld(t, opts, self(t, plugin.Discovery, "good"), nil)
	err := w.facade.Start(t.Context())
	if !errors.Is(err, ErrSocketPath) || !strings.Contains(err.Error(), "at most 103") {
		t.Errorf("error %v", err)
	}
	opts = quick()
	w = newWorld(t, opts, self(t, plugin.Discovery, "good"), nil)
	w.facade.env.DataDir = filepath.Join(t.TempDir(), strings.Repeat("long", 30)) // then there is a shorter place
	if err := w.facade.Start(t.Context()); err != nil {
		t.Errorf("with a long data directory: %v", err)
	}
}

func TestSpecsThatCannotBe(t *testing.T) {
	for text, spec := range map[string]Spec{
		"is no absolute path":      {Command: "plugin"},
		"belongs to the greeting":  {Command: "/bin/true", Env: map[string]string{"PLUGIN_CLIENT_CERT": ""}},
		"belongs to the greeting:": {Command: "/bin/true", Env: map[string]string{"BARREL_PLUGIN": ""}},
		"is negative":              {Command: "/bin/true", Timeout: -1},
	} {
		if err := spec.validate(); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%+v: %v", spec, err)
		}
	}
	fifo := filepath.Join(t.TempDir(), "fifo") // nobody will ever write to it
	if err := syscall.Mkfifo(fifo, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Checksum(fifo); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("%s: %v", fifo, err)
	}
	for text, path := range map[string]string{"no such file": "/no/such/file", "not a regular file": "/tmp", "not executable": "/etc/passwd"} {
		if _, err := loadProgram(Spec{Command: path}, t.TempDir()); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
