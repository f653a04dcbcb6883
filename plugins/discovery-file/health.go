package discoveryfile

import (
	"log/slog"
	"strings"
	"sync"

	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// trouble is one of the things that can be wrong at the same time.
type trouble int

const (
	troubleDir    trouble = iota // the folder cannot be made
	troubleRead                  // the folder cannot be read
	troubleOwn                   // the own entry is not there
	troubleFiles                 // files of others are ignored
	troubleEvents                // no file events: polling only; not degraded
	troubles
)

// healthBook remembers what is wrong and logs each change once.
type healthBook struct {
	mu    sync.Mutex
	texts [troubles]string
}

// note remembers that kind is wrong because of err, or all right if err is nil, and
// reports whether that is news.
func (h *healthBook) note(kind trouble, err error) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	text := errorText(err)
	news := h.texts[kind] != text
	h.texts[kind] = text
	return news
}

// set is note for what nobody else reports: news are logged.
func (h *healthBook) set(log *slog.Logger, kind trouble, err error) {
	switch {
	case !h.note(kind, err):
	case err == nil:
		log.Info("discovery folder recovered", "trouble", kind.String())
	case kind == troubleEvents:
		log.Info("no file events: reading the folder from time to time", "reason", err)
	default:
		log.Warn("discovery folder degraded", "trouble", kind.String(), "error", err)
	}
}

func (h *healthBook) sum() plugin.Health {
	h.mu.Lock()
	defer h.mu.Unlock()
	health := plugin.Health{State: plugin.Healthy}
	var details []string
	for kind, text := range h.texts {
		if text == "" {
			continue
		}
		if trouble(kind) != troubleEvents {
			health.State = plugin.Degraded
		}
		details = append(details, trouble(kind).String()+": "+text)
	}
	health.Detail = strings.Join(details, "; ")
	return health
}

func (t trouble) String() string {
	switch t {
	case troubleDir, troubleRead:
		return "folder"
	case troubleOwn:
		return "own entry"
	case troubleFiles:
		return "files"
	default:
		return "no file events"
	}
}
