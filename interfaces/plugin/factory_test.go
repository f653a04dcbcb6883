package plugin_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/barrelp2p/barrel/interfaces/plugin"
)

type settings struct{ Size int }

type thing struct{ size int }

func (thing) Start(context.Context) error { return nil }
func (thing) Stop(context.Context) error  { return nil }

var errSize = errors.New("too small")

func factory() plugin.Factory[plugin.Part, plugin.Env] {
	return plugin.Define("thing", "something to test with",
		func() *settings { return &settings{Size: 3} },
		func(_ plugin.Env, s *settings) (plugin.Part, error) {
			if s.Size < 1 {
				return nil, errSize
			}
			return thing{size: s.Size}, nil
		})
}

func TestAFactoryMakesPluginsFromItsOwnSettings(t *testing.T) {
	f := factory()
	if f.Name() != "thing" || f.Summary() != "something to test with" {
		t.Errorf("name %q, summary %q", f.Name(), f.Summary())
	}
	changed, ok := f.Settings().(*settings)
	if !ok {
		t.Fatalf("settings are a %T", f.Settings())
	}
	changed.Size = 7
	made, err := f.New(plugin.Env{}, changed)
	if err != nil || made.(thing).size != 7 {
		t.Errorf("made %v, %v", made, err)
	}
	made, err = f.New(plugin.Env{}, f.Settings())
	if err != nil || made.(thing).size != 3 {
		t.Errorf("the defaults were not fresh: %v, %v", made, err)
	}
}

func TestAFactoryRefusesOtherSettings(t *testing.T) {
	for _, wrong := range []any{nil, settings{}, plugin.NoDefaults(), "size: 3"} {
		_, err := factory().New(plugin.Env{}, wrong)
		if err == nil || !strings.HasPrefix(err.Error(), "plugin thing: settings are a ") {
			t.Errorf("%T: error %v", wrong, err)
		}
	}
}

func TestAFactoryPassesTheErrorOfNewOn(t *testing.T) {
	if _, err := factory().New(plugin.Env{}, &settings{}); !errors.Is(err, errSize) {
		t.Errorf("error %v, want %v", err, errSize)
	}
}

func TestKindsAreInTheOrderOfAssembly(t *testing.T) {
	want := "transport discovery trust membership registry"
	var got []string
	for _, k := range plugin.Kinds() {
		got = append(got, string(k))
	}
	if strings.Join(got, " ") != want {
		t.Errorf("kinds %v, want %s", got, want)
	}
}
