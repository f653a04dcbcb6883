package external

import (
	"errors"
	"strings"
	"testing"
)

// sandboxLacking is why this system has no sandbox; nil if it has one.
func sandboxLacking() error {
	_, err := landlockABI()
	return err
}

// scopedSignal is what a signal to the host comes to.
func scopedSignal() string {
	if abi, _ := landlockABI(); abi < abiScopes {
		return "ok"
	}
	return "operation not permitted"
}

// A kernel that cannot confine is one on which nothing starts.
func TestKernelsThatAreTooOld(t *testing.T) {
	for _, abi := range []int{0, 1, 2} {
		if err := goodEnough(abi); !errors.Is(err, ErrSandbox) || !strings.Contains(err.Error(), "lsm=landlock") {
			t.Errorf("version %d: %v", abi, err)
		}
	}
	if err := goodEnough(abiTruncate); err != nil {
		t.Error(err)
	}
}
