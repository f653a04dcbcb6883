package catalog_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/barrelp2p/barrel/core/catalog"
	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// nowhere is a discovery backend that knows nobody, and a trust plugin that trusts
// nobody.
type nowhere struct{}

func (nowhere) Start(context.Context) error { return nil }
func (nowhere) Stop(context.Context) error  { return nil }

func (nowhere) Lookup(context.Context, name.Node) (discovery.Answer, error) {
	return discovery.Answer{}, discovery.ErrNotFound
}

func (nowhere) Decide(context.Context, trust.Claim) error { return trust.ErrUntrusted }

func backend(name string) discovery.Factory {
	return plugin.Define(name, "knows nobody", plugin.NoDefaults,
		func(discovery.Env, *plugin.NoSettings) (discovery.Plugin, error) { return nowhere{}, nil })
}

func guard(name string) trust.Factory {
	return plugin.Define(name, "trusts nobody", plugin.NoDefaults,
		func(trust.Env, *plugin.NoSettings) (trust.Plugin, error) { return nowhere{}, nil })
}

func sample() catalog.Catalog {
	return catalog.Catalog{
		Discovery: []discovery.Factory{backend("static"), backend("file")},
		Trust:     []trust.Factory{guard("static")},
	}
}

func TestEntriesDescribeEverythingInOrder(t *testing.T) {
	var got []string
	for _, e := range sample().Entries() {
		if e.Summary == "" || e.Contract == "" || e.Settings() == nil {
			t.Errorf("%s is not described: %+v", e.ID(), e)
		}
		got = append(got, e.ID())
	}
	if want := []string{"discovery/static", "discovery/file", "trust/static"}; !slices.Equal(got, want) {
		t.Errorf("entries %v, want %v", got, want)
	}
	if e, err := sample().Entry(plugin.Trust, "static"); err != nil || e.Contract != trust.Contract {
		t.Errorf("entry %+v, %v", e, err)
	}
	if len((catalog.Catalog{}).Entries()) != 0 {
		t.Error("an empty catalog has entries")
	}
}

func TestFind(t *testing.T) {
	c := sample()
	f, err := catalog.Find(c.Discovery, plugin.Discovery, "file")
	if err != nil || f.Name() != "file" {
		t.Errorf("found %q, %v", f.Name(), err)
	}
	_, err = catalog.Find(c.Discovery, plugin.Discovery, "flie")
	var unknown *catalog.UnknownError
	if !errors.As(err, &unknown) || !slices.Equal(unknown.Known, []string{"static", "file"}) {
		t.Errorf("error %v", err)
	}
	if want := `no discovery plugin is called "flie": there is static, file`; err.Error() != want {
		t.Errorf("text %q, want %q", err, want)
	}
	if _, err = c.Entry(plugin.Registry, "ormap"); !errors.As(err, &unknown) || !strings.Contains(err.Error(), "none of that kind") {
		t.Errorf("error %v", err)
	}
}

func TestValidate(t *testing.T) {
	if err := sample().Validate(); err != nil {
		t.Errorf("a good catalog: %v", err)
	}
	if err := (catalog.Catalog{}).Validate(); err != nil {
		t.Errorf("an empty catalog: %v", err)
	}
	bad := catalog.Catalog{
		Discovery: []discovery.Factory{backend("dns"), backend(""), backend("dns"), {}},
		Trust:     []trust.Factory{guard("To Fu"), guard("use")},
	}
	err := bad.Validate()
	for _, want := range []string{
		"discovery/dns: listed twice", "entry 1 (discovery): has no name", "entry 3 (discovery): has no name",
		`trust plugin "To Fu"`, `trust plugin "use"`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
}

func TestEveryKindHasItsSlot(t *testing.T) {
	for i, kind := range plugin.Kinds() {
		slot, ok := catalog.SlotOf(kind)
		if !ok || catalog.Slots()[i].Kind != kind {
			t.Fatalf("%s: no slot, or not at its place", kind)
		}
		if slot.Question == "" || slot.Absence.Policy == "" || slot.Absence.Works == "" || slot.Absence.Stops == "" {
			t.Errorf("%s: not everything is decided: %+v", kind, slot)
		}
		if n := len(slot.Defaults); n == 0 || n > 1 && slot.Cardinality == catalog.One {
			t.Errorf("%s: its own defaults do not fit: %q", kind, slot.Defaults)
		}
	}
	if _, ok := catalog.SlotOf("storage"); ok {
		t.Error("a slot that does not exist was found")
	}
}
