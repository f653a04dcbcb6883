// Package process runs the processes of a node, goroutines with a mailbox and a
// reference, and carries messages, calls and signals between processes of any two nodes.
//
// A process is addressed by its reference, or by a service name that is bound to it on
// its node. Delivery is at most once and in order for each pair of sender and
// receiver. Nothing is dropped silently: what cannot be delivered is an error to the
// sender, or a dead letter, which is counted and told with its reason. What had been
// written to a link that was lost may have arrived or not: it is counted as in doubt,
// unless the receiver had said that it has read it, which it does within 50 ms.
//
// It is not the registry: it knows the names of this node's own processes only, so
// that it can answer for NAME@NODE. Who finds names elsewhere is package core.
//
//	p, err := procs.Spawn(process.Spec{Run: func(ctx context.Context, self *process.Self) error {
//		text, m, err := process.Receive[string](ctx, self) // other messages stay
//		...
//	}})
//	err = procs.Send(ctx, process.ToRef(p.Ref()), "hello")
//
//	s, err := procs.Spawn(process.Spec{Handle: process.Handle(sum)})
//	err = procs.Bind(name.MustService("sum"), s.Ref())
//	total, err := process.Call[[]int, int](ctx, procs, process.ToName(node, service), []int{1, 2})
//
// # Values
//
// A value for a process of this node goes over as it is and is shared with it. One for
// another node is encoded: bytes and text as they are, a proto.Message as protobuf,
// other types as CBOR (RFC 8949) under a name that both nodes know the type by. See
// Types. A value that cannot travel is an error to its sender.
//
// # The life of a process
//
//	Spawn -> body runs -> body returns, panics, or is told to end -> those who watch it hear
//
// Being told to end (Stop, Exit, Kill, the end of a linked process) takes the process
// out of the world at once: its reference leads nowhere, what waits in its mailbox is
// refused, and its context ends. Monitors and links are told when its body has
// returned, behind everything that it has sent; after Kill they are told at once, and
// what is left of it has no voice. The reason is an error, nil for a normal end.
//
// # Back-pressure
//
// A mailbox holds a number of messages and of bytes; who sends to a full one from here
// waits. A sender elsewhere has credit for each receiver: so many messages and bytes
// may be on their way, and more when some have been taken. So a process that takes
// nothing keeps its own senders waiting and nobody else: whoever reads a stream never
// waits for a mailbox.
//
//	sender    | account: sent 64 of 64    (waits)            | sent 65 of 1088
//	receiver  | ........ 64 in the mailbox, 16 taken -> credit, up to 1088 in all
//
// # On the wire
//
// Messages travel on streams of kind Messages, each used in one direction, opened by
// the sender: a few per pair of nodes, chosen by sender and receiver, so that order
// holds for each pair. Answers and credit have a stream of their own. A payload of 32
// KiB and more has a stream to itself; a frame in its place keeps the order.
//
//	stream   shard 1 | generation 8 | after 8 | frames...      big endian
//	frame    length 3 | type 1 | body                          see wire.go
//
// When a link moves to another connection, the sender ends its stream in good order
// and opens the next, with a higher generation; after is the generation of the one
// before it, if that may still be on its way, else zero. The receiver reads the streams
// of one shard one after the other, so that order survives. It ends its own side of a
// stream when it has read all of it: the sender keeps the old connection until then.
package process
