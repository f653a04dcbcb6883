package barrel_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// row says what a room may import of this module. A pattern that ends in a slash or
// a hyphen means everything that begins so; the first row that fits a room counts.
type row struct {
	room   string
	may    []string
	not    []string // what it may not although may says so
	tests  []string // what its external tests (package x_test) may import besides
	future bool     // the room need not exist yet
}

func rows() []row {
	words := []string{"interfaces/plugin", "interfaces/name"}
	contracts := slices.Concat(words, []string{"interfaces/transport", "interfaces/discovery", "interfaces/trust",
		"interfaces/membership", "interfaces/registry"})
	lent := slices.Concat(contracts, []string{"interfaces/settings", "interfaces/safefile", "interfaces/inbox", "interfaces/registry/index"})
	thinking := slices.Concat(lent, []string{"core/machine/"})
	return []row{
		{room: "interfaces/name"},
		{room: "interfaces/plugin", may: []string{"interfaces/name"}},
		{room: "interfaces/transport", may: words},
		{room: "interfaces/discovery", may: words},
		{room: "interfaces/trust", may: words},
		{room: "interfaces/membership", may: slices.Concat(words, []string{"interfaces/transport", "interfaces/trust"})},
		{room: "interfaces/registry", may: slices.Concat(words, []string{"interfaces/membership", "interfaces/trust"})},
		{room: "interfaces/registry/index", may: slices.Concat(words, []string{"interfaces/registry"})},
		{room: "interfaces/settings", may: contracts},
		{room: "interfaces/safefile", may: contracts},
		{room: "interfaces/inbox", may: contracts},
		{room: "interfaces/plugintest", may: slices.Concat(lent, []string{"interfaces/wire"}), tests: []string{"plugins/transport-memory"}},
		{room: "interfaces/proto/", may: []string{"interfaces/proto/"}},
		{room: "interfaces/wire", may: slices.Concat(contracts, []string{"interfaces/inbox", "interfaces/registry/index", "interfaces/proto/"})},
		{room: "interfaces/sdk", may: []string{"interfaces/"}},

		{room: "core/machine/", may: slices.Concat(contracts, []string{"core/machine/"})},
		{room: "core/kernel", may: contracts},
		{room: "core/catalog", may: contracts},
		{room: "core/config", may: slices.Concat(lent, []string{"core/catalog"})},
		{room: "core/identity", may: thinking},
		{room: "core/observe", may: contracts},
		{room: "core/admin", may: contracts},
		{room: "core/external", may: []string{"interfaces/"}},
		{room: "core/sim", may: []string{"interfaces/name", "core/machine/"}, future: true},
		{room: "core/block/", may: thinking, tests: []string{"core/block/", "plugins/"}}, // tests join what the code keeps apart
		{room: "core", may: slices.Concat(lent, []string{"core/"}), not: []string{"core/external"}, tests: []string{"plugins", "plugins/"}},

		{room: "plugins/", may: thinking, tests: []string{"interfaces/sdk", "core/external"}}, // the process road of a suite
		{room: "plugins", may: slices.Concat(contracts, []string{"core/catalog", "plugins/"})},

		{room: "cmd/barrel", may: slices.Concat(lent, []string{"core", "core/", "plugins", "plugins/", "interfaces/sdk", "interfaces/wire"})},
		{room: "docs"},
		{room: "examples/plugin-", may: slices.Concat(lent, []string{"interfaces/sdk", "core/external"}), future: true},
		{room: "examples/", may: slices.Concat(lent, []string{"core", "core/catalog", "core/config", "plugins", "plugins/"})},
	}
}

// suites is the one room that tests of every room may import.
const suites = "interfaces/plugintest"

func fits(pattern, room string) bool {
	if strings.HasSuffix(pattern, "/") || strings.HasSuffix(pattern, "-") {
		return strings.HasPrefix(room, pattern)
	}
	return room == pattern
}

func fitsAny(patterns []string, room string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return fits(p, room) })
}

// eachImport calls see for every import of every file.
func eachImport(tr *tree, see func(f file, imported string)) {
	for _, f := range tr.files {
		for _, spec := range f.ast.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err == nil {
				see(f, imported)
			}
		}
	}
}

// ours splits the module off: the room of an import, if it is one.
func ours(imported string) (string, bool) {
	if imported == module {
		return ".", true
	}
	return strings.CutPrefix(imported, module+"/")
}

// standard: packages of the standard library have no dot before the first slash.
func standard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".")
}

func rowOf(room string) (row, bool) {
	all := rows()
	i := slices.IndexFunc(all, func(r row) bool { return fits(r.room, room) })
	if i < 0 {
		return row{}, false
	}
	return all[i], true
}

func imports(tr *tree) (complaints []string) {
	for _, room := range tr.rooms() {
		if _, known := rowOf(room); !known {
			complaints = append(complaints, room+" is in no row of the table of imports: add one")
		}
	}
	eachImport(tr, func(f file, imported string) {
		r, known := rowOf(f.room)
		target, local := ours(imported)
		switch {
		case !known:
		case local && !mayImport(r, f, target):
			complaints = append(complaints, fmt.Sprintf("%s may not import %s (%s)", f.room, target, f.path))
		case fits("core/machine/", f.room) && standard(imported) && !f.test && !slices.Contains(pure(), imported):
			complaints = append(complaints, fmt.Sprintf("%s may not import %s, which is not on the list of pure packages (%s)", f.room, imported, f.path))
		}
	})
	return complaints
}

func mayImport(r row, f file, target string) bool {
	switch {
	case f.test && (target == f.room || target == suites):
		return true
	case !f.test && target == suites:
		return true // that is for suitesInTests to say
	case f.outside && fitsAny(r.tests, target):
		return true
	}
	return fitsAny(r.may, target) && !fitsAny(r.not, target)
}

// pure lists the packages that can be used without touching the world.
func pure() []string {
	return []string{
		"bufio", "bytes", "cmp", "container/heap", "container/list", "container/ring", "errors", "fmt", "io", "iter",
		"maps", "math", "math/big", "math/bits", "math/rand/v2", "net/netip", "slices", "sort", "strconv", "strings",
		"time", "unicode", "unicode/utf8",
		"crypto", "crypto/aes", "crypto/cipher", "crypto/ed25519", "crypto/hkdf", "crypto/hmac", "crypto/sha256",
		"crypto/sha3", "crypto/sha512", "crypto/subtle",
		"encoding", "encoding/base32", "encoding/base64", "encoding/binary", "encoding/hex", "encoding/json",
		"hash", "hash/adler32", "hash/crc32", "hash/crc64", "hash/fnv",
	}
}

func suitesInTests(tr *tree) (complaints []string) {
	eachImport(tr, func(f file, imported string) {
		if target, local := ours(imported); local && target == suites && !f.test && f.room != "cmd/barrel" {
			complaints = append(complaints, fmt.Sprintf("%s may import %s in its tests only (%s)", f.room, suites, f.path))
		}
	})
	return complaints
}

// owner says which rooms may use a library, in tests or everywhere.
type owner struct {
	library string // import path, and everything below
	rooms   []string
	tests   []string
}

func libraries() []owner {
	acting := []string{"core", "core/block/", "core/config", "core/identity", "core/admin", "plugins/", "cmd/barrel"}
	everywhere := []string{"interfaces/", "core", "core/", "plugins", "plugins/", "cmd/", "examples/"}
	return []owner{
		{library: "github.com/knadh/koanf", rooms: []string{"core/config"}},
		{library: "go.yaml.in/yaml", rooms: []string{"core/config"}, tests: []string{"cmd/barrel"}},
		{library: "github.com/pelletier/go-toml", rooms: []string{"core/config"}},
		{library: "github.com/gofrs/flock", rooms: []string{"core/identity"}},
		{library: "github.com/quic-go/quic-go", rooms: []string{"plugins/transport-quic"}, tests: []string{"core"}},
		{library: "github.com/fsnotify/fsnotify", rooms: []string{"plugins/discovery-file"}},
		// The demo of the program serves a zone of its own to show discovery by DNS.
		{library: "github.com/miekg/dns", rooms: []string{"plugins/discovery-dns", "cmd/barrel"}, tests: []string{"core"}},
		{library: "github.com/hashicorp/go-plugin", rooms: []string{"core/external", "interfaces/sdk"}},
		{library: "github.com/hashicorp/go-hclog", rooms: []string{"core/external", "interfaces/sdk"}},
		{library: "google.golang.org/grpc", rooms: []string{"interfaces/wire", "interfaces/proto/", "interfaces/sdk", "interfaces/plugintest", "core/external"}},
		{library: "google.golang.org/protobuf", rooms: []string{"interfaces/wire", "interfaces/proto/", "core/external", "core/block/process"}, tests: []string{"core"}},
		{library: "golang.org/x/sys", rooms: []string{"core/external"}},
		// How values travel is the business of one block; nobody else sees an encoding.
		{library: "github.com/fxamacker/cbor", rooms: []string{"core/block/process"}},
		{library: "github.com/spf13/cobra", rooms: []string{"cmd/barrel"}},
		{library: "github.com/spf13/pflag", rooms: []string{"cmd/barrel"}},
		{library: "github.com/prometheus", rooms: []string{"cmd/barrel"}},
		{library: "go.opentelemetry.io/otel/sdk", rooms: []string{"cmd/barrel"}, tests: []string{"core/observe"}},
		{library: "go.opentelemetry.io/otel/exporters", rooms: []string{"cmd/barrel"}},
		{library: "go.opentelemetry.io/otel", rooms: []string{"core/observe", "cmd/barrel"}},
		{library: "golang.org/x/net/nettest", tests: []string{"core", "core/block/stream"}},
		{library: "golang.org/x/sync", rooms: acting},
		{library: "golang.org/x/time", rooms: acting},
		{library: "go.uber.org/goleak", tests: everywhere},
		{library: "pgregory.net/rapid", tests: everywhere},
		{library: "github.com/rogpeppe/go-internal", tests: everywhere},
	}
}

func owners(tr *tree) (complaints []string) {
	eachImport(tr, func(f file, imported string) {
		if _, local := ours(imported); local || standard(imported) {
			return
		}
		if why := notOwner(f, imported); why != "" {
			complaints = append(complaints, fmt.Sprintf("%s may not import %s%s (%s)", f.room, imported, why, f.path))
		}
	})
	return complaints
}

func notOwner(f file, imported string) string {
	for _, o := range libraries() {
		if imported != o.library && !strings.HasPrefix(imported, o.library+"/") {
			continue
		}
		if fitsAny(o.rooms, f.room) || f.test && fitsAny(o.tests, f.room) {
			return ""
		}
		if len(o.rooms) == 0 {
			return ": it is for tests only"
		}
		return ": it belongs to " + strings.Join(o.rooms, ", ")
	}
	return ": no room owns it; name one in the table of libraries"
}

func staleRows(tr *tree) (complaints []string) {
	exists := func(pattern string) bool {
		return slices.ContainsFunc(tr.rooms(), func(room string) bool { return fits(pattern, room) })
	}
	for _, r := range rows() {
		if !r.future && !exists(r.room) {
			complaints = append(complaints, r.room+" has a row in the table of imports and does not exist")
		}
	}
	return complaints
}
