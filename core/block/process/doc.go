// Package process runs the processes of a node, goroutines with a mailbox and a
// reference, and carries messages and calls between processes of any two nodes.
//
// A process is addressed by its reference, or by a service name that is bound to it on
// its node. Delivery is at most once and in order for each pair of sender and
// receiver. Nothing is dropped silently: what cannot be delivered is an error to the
// caller, or a dead letter, counted by reason. A process on this node behaves like one
// elsewhere: payloads are copied, and errors are of the same kinds.
//
// It is not the registry: it knows the names of this node's own processes only, so
// that it can answer for NAME@NODE. Who finds names elsewhere is package core.
//
//	p, err := procs.Spawn(process.Spec{Handle: func(ctx context.Context, m process.Message) ([]byte, error) {
//		return m.Payload, nil
//	}})
//	procs.Bind(name.MustService("echo"), p.Ref())
//	answer, err := procs.Call(ctx, process.ToName(node, service), payload)
//
// # Back-pressure
//
// A mailbox holds a number of messages and of bytes; who sends to a full one waits. A
// sender elsewhere waits because its stream is not read, together with those who share
// the stream; a process that takes nothing for long loses what is sent to it instead
// (ErrBusy, "mailbox full"), so that the others are heard again.
//
// # On the wire
//
// Messages travel on streams of kind Messages, each used in one direction, opened by
// the sender: a few per pair of nodes, chosen by sender and receiver, so that order
// holds for each pair and a slow pair does not stall all others. Answers have a stream
// of their own that no full mailbox ever stalls.
//
//	stream   shard 1 | generation 8 | after 8 | frames...
//	frame    length 4 | type 1 | body        all numbers big endian
//
// When a link moves to another connection, the sender ends its stream in good order
// and opens the next, with a higher generation; after is the generation of the one
// before it, if that may still be on its way, else zero. The receiver reads the streams
// of one shard one after the other, so that order survives. It ends its own side of a
// stream when it has read all of it: the sender keeps the old connection until then.
package process
