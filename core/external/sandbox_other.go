//go:build !linux

package external

import (
	"fmt"
	"os/exec"
	"runtime"
)

// startConfined is for Linux.
func startConfined(*exec.Cmd, *Sandbox, string) error {
	return fmt.Errorf("%w: %s has none that this program knows: take the section sandbox away, or confine the plugin by other means", ErrSandbox, runtime.GOOS)
}
