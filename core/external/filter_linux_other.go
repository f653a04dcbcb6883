//go:build linux && !amd64

package external

// pathCalls are the calls for owners, times and modes that only older machines have.
func pathCalls() []uint32 { return nil }
