// Package external runs plugins in processes of their own and makes ordinary factories
// of them, so that nothing else in a node knows the difference. A plugin that hangs,
// crashes, lies or floods costs its own calls and nothing more.
//
//	part of the node ─► facade ─► host half (interfaces/wire) ─► socket ─► process
//	                      │                                                  ▲
//	                      └── supervisor: launch, health, back-off, budget ──┘
//
// A facade outlives its processes. While there is none its calls say plugin.ErrGone at
// once; what that means for the node is decided in core/catalog and not here.
//
// # One process
//
//	program file ─ copied into sealed memory and hashed there ─ executed from there
//	environment  ─ the variables of the settings, and those of the greeting
//	stdin        ─ nothing      stdout ─ lines until the greeting, then log lines
//	stderr       ─ read here, never by go-plugin; the last 200 lines are kept
//	fd 3         ─ the lifeline: it ends when this process does, by SIGKILL too
//	group        ─ its own; killed as a whole when the process ends, and with the process
//	               by a watcher (a shell that reads the lifeline) when this one does
//
// The socket is in a private directory of a short name, and both ends have
// certificates made for this one process.
//
// # The life of a facade
//
//	new ─► starting ─► ok ◄──────────────┐
//	                   │ exits, or three  │ back-off 1 s, doubling to 30 s
//	                   ▼ silent seconds   │
//	                degraded ─────────────┘
//	                   │ six times in five minutes
//	                   ▼
//	                failed, until Replace
//
// The program comes here for the entries of its configuration; embedders who want none of
// it do not import it and link neither gRPC nor go-plugin:
//
//	cat.Discovery = append(cat.Discovery, external.Discovery(spec, external.Options{}))
package external
