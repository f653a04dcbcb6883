package external

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// ErrSandbox: the settings want a sandbox and this system cannot give it. The plugin does
// not run then.
var ErrSandbox = errors.New("no sandbox")

// Sandbox is what a confined process may touch besides its own socket, a few harmless
// devices and the memory that it was started from. The zero Sandbox is the tightest.
type Sandbox struct {
	Read    []string // absolute paths that it may read and execute, with all below
	Write   []string // absolute paths that it may read and change, with all below
	Network bool     // anything but accepting calls on its own socket
}

// String says what the sandbox admits: reads /usr; writes nothing; no network.
func (s Sandbox) String() string {
	network := "no network"
	if s.Network {
		network = "network"
	}
	return fmt.Sprintf("reads %s; writes %s; %s", listed(s.Read), listed(s.Write), network)
}

func listed(paths []string) string {
	if len(paths) == 0 {
		return "nothing"
	}
	return strings.Join(paths, " ")
}

func (s *Sandbox) validate() error {
	if s == nil {
		return nil
	}
	for _, path := range slices.Concat(s.Read, s.Write) {
		if !filepath.IsAbs(path) {
			return fmt.Errorf("sandbox: %q is no absolute path", path)
		}
	}
	return nil
}
