//go:build !linux

package external

// sandboxLacking is why this system has no sandbox.
func sandboxLacking() error { return confineThread(nil, "") }

func scopedSignal() string { return "ok" }
