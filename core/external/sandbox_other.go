//go:build !linux

package external

import (
	"fmt"
	"runtime"
)

// confineThread is for Linux.
func confineThread(*Sandbox, string) error {
	return fmt.Errorf("%w: %s has none that this program knows: take the section sandbox away, or confine the plugin by other means", ErrSandbox, runtime.GOOS)
}
