// Package sdk is the whole main of a plugin that runs in a process of its own:
//
//	package main
//
//	func main() { sdk.Serve(Factory(), sdk.Version("1.0.0")) }
//
// where Factory is what an in-tree plugin has too. Everything else is done here: the
// greeting with the host, the life of the plugin, its settings (decoded and checked in
// this process; the host knows the lines of the file), its log, and its end when the
// host ends, however that happens.
//
//	host                                      this process
//	barrel ── environment, fd 3 (lifeline) ──► Serve
//	       ◄── one line on stdout ──────────── where its socket is
//	       ══ gRPC over that socket, mTLS ════ barrel.plugin.v1, barrel.plugin.<kind>.v1
//	       ◄── JSON lines on stderr ────────── env.Log
//
// A panic in a method is an error of that call and the process lives on. A panic on
// env.Tasks ends the process, and the host starts it anew: what the goroutine had in its
// hands is lost, as it is in-tree.
//
// It serves Go plugins. The protocol itself is in interfaces/proto and needs no Go.
package sdk
