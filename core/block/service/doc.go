// Package service is what users do with names: register a process under one, find an
// instance of another, follow what comes and goes. It stands on the registry slot, which
// knows what is registered, and adds what is the same for every registry: whose end takes
// a registration back, which of several instances is meant, what to do on a miss.
//
// It does not carry messages (core/block/process does), and does not know how
// registrations travel.
//
//	s := service.New(service.Config{Node: self, Registry: registry, ...})
//	r, err := s.Register(ctx, "room/general", meta, process)     // gone when the process ends
//	e, err := s.Whereis(ctx, "room/general")                     // local first, then the nearest
//	w := s.Watch("room/")                                        // what is there, then what happens
//
// A registration is bound to a Holder and ends with it:
//
//	Register ──► holds ──► holder ended: everybody hears down, with the reason
//	               │  ▲
//	               │  └── Update: the same registration, other metadata
//	               └─────► Close, Unregister, context ended: everybody hears unregistered
package service
