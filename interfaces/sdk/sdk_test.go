package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/wire"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		Serve(nowhere(), Version("1.0"))
	}
	os.Exit(m.Run())
}

func nowhere() discovery.Factory {
	return plugin.Define("nowhere", "knows nobody", plugin.NoDefaults,
		func(discovery.Env, *plugin.NoSettings) (discovery.Plugin, error) { return nobody{}, nil })
}

type nobody struct{}

func (nobody) Start(context.Context) error { return nil }
func (nobody) Stop(context.Context) error  { return nil }

func (nobody) Lookup(context.Context, name.Node) (discovery.Answer, error) {
	return discovery.Answer{}, discovery.ErrNotFound
}

func TestAPersonIsToldWhatThisIs(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, "serve")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("ended with %v", err)
	}
	for _, want := range []string{"discovery/nowhere, knows nobody", "use: [nowhere]", "barrel plugin pin " + path, "--kind discovery"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
}

func TestSettingsAreDecodedAndThePluginIsMadeOnce(t *testing.T) {
	s, err := newServed(any(nowhere()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.guest.Part(); err == nil {
		t.Error("there is a plugin before it is made")
	}
	if _, found := s.guest.Decode(map[string]any{"url": "x"}); len(found) != 1 || !strings.Contains(found[0].Text, `unknown key "url"`) {
		t.Errorf("problems %v", found)
	}
	decoded, _ := s.guest.Decode(nil)
	if err := s.guest.Make(plugin.Env{Node: name.MustNode("a@h")}, decoded); err != nil {
		t.Fatal(err)
	}
	if part, err := s.guest.Part(); err != nil || part == nil {
		t.Errorf("%v, %v", part, err)
	}
	d := s.guest.Description
	if d.Kind != plugin.Discovery || d.Name != "nowhere" || len(d.Contracts) != 1 || len(d.Abilities) != 0 {
		t.Errorf("description %+v", d)
	}
}

func TestOtherKindsAreRefused(t *testing.T) {
	if _, err := newServed(any(plugin.Factory[plugin.Part, string]{})); err == nil || !strings.Contains(err.Error(), "none of the five kinds") {
		t.Errorf("error %v", err)
	}
}

func TestALogLineIsWhatTheHostReads(t *testing.T) {
	var out bytes.Buffer
	ctx := identified(metadata.NewIncomingContext(t.Context(), metadata.Pairs(wire.CallHeader, "42")))
	newLogger(&out).With("backend", "x").WarnContext(ctx, "no answer", "node", name.MustNode("a@h"))
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{"@level": "warn", "@message": "no answer", "node": "a@h", "backend": "x", "call": "42"} {
		if line[key] != want {
			t.Errorf("%s is %v, want %v", key, line[key], want)
		}
	}
	if line["@timestamp"] == nil {
		t.Error("no time")
	}
}

func TestALifelineThatIsNone(t *testing.T) {
	for _, number := range []string{"x", "2", "-1", "99999999999999999999"} {
		if err := holdLifeline(number); err == nil || !strings.Contains(err.Error(), LifelineVariable) {
			t.Errorf("%s: %v", number, err)
		}
	}
	if err := holdLifeline(""); err != nil {
		t.Error(err)
	}
}
