package wire

import (
	"errors"
	"sync"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// errNotMade: the host has not said with which settings.
var errNotMade = errors.New("not configured yet")

// Holder is where the plugin half finds the plugin, once it is made. The zero Holder is
// empty. Safe for concurrent use.
type Holder[P plugin.Part] struct {
	mu   sync.Mutex
	part P
	made bool
}

// Hold is a holder of a plugin that is made already.
func Hold[P plugin.Part](part P) *Holder[P] { return &Holder[P]{part: part, made: true} }

// Put holds a plugin that was just made.
func (h *Holder[P]) Put(part P) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.part, h.made = part, true
}

// Get is the plugin.
func (h *Holder[P]) Get() (P, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.made {
		return h.part, errNotMade
	}
	return h.part, nil
}

// Fixed describes a plugin that is made already, so that it can be served without being
// configured over the wire.
func Fixed[P plugin.Part](kind plugin.Kind, contract string, part P) Guest {
	return Guest{
		Description: Description{Kind: kind, Name: "fixed", Contracts: []string{contract}, Abilities: AbilitiesOf(part)},
		Part:        func() (plugin.Part, error) { return part, nil },
	}
}

// AbilitiesOf lists the optional abilities that a plugin has. For a nil value of an
// interface it lists none.
func AbilitiesOf(part plugin.Part) []string {
	abilities := []string{}
	add := func(ability string, has bool) {
		if has {
			abilities = append(abilities, ability)
		}
	}
	_, reloads := part.(plugin.Reloader)
	_, publishes := part.(discovery.Publisher)
	_, lists := part.(discovery.Lister)
	_, watches := part.(discovery.Watcher)
	_, decides := part.(trust.Plugin)
	_, vets := part.(trust.Vetter)
	_, finds := part.(registry.Finder)
	_, rotates := part.(transport.CertificateRotator)
	add(AbilityReload, reloads)
	add(AbilityPublish, publishes)
	add(AbilityList, lists)
	add(AbilityWatch, watches)
	add(AbilityPins, decides)
	add(AbilityVet, vets)
	add(AbilityFind, finds)
	add(AbilityRotate, rotates)
	return abilities
}
