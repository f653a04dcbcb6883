package registryormap

import "hash/maphash"

// metas has the metadata that was read of late, so that entries which say the same share
// one map: it takes more memory than all else of an entry. Nobody changes these maps.
type metas struct {
	seed  maphash.Seed
	none  map[string]string // of an entry without any
	slots [metaSlots]said
}

type said struct {
	text string // as valueOf writes it
	meta map[string]string
}

const (
	metaSlots = 256
	metaMost  = 256 // bytes of a text that is remembered
)

func newMetas() *metas { return &metas{seed: maphash.MakeSeed(), none: map[string]string{}} }

func (m *metas) slot(text string) *said { return &m.slots[maphash.String(m.seed, text)%metaSlots] }

func (m *metas) get(text string) (map[string]string, bool) {
	s := m.slot(text)
	return s.meta, s.meta != nil && s.text == text
}

func (m *metas) keep(text string, meta map[string]string) {
	if len(text) <= metaMost {
		*m.slot(text) = said{text, meta}
	}
}
