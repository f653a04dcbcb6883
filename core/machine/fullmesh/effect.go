package fullmesh

import (
	"time"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// EffectKind says what the host is to do.
type EffectKind uint8

// The effects.
const (
	Send       EffectKind = iota + 1 // Node, Frame
	Connect                          // Node, Known, Timeout; answer with Connected
	Disconnect                       // Node, Code, Reason
	Hold                             // Node: keep the link
	Release                          // Node: the link may be collected
	Emit                             // Event
	JoinDone                         // ID, Err
	LeaveDone                        // ID
)

// Effect is one thing to do.
type Effect struct {
	Kind    EffectKind
	Node    name.Node
	Frame   []byte         // the host owns it
	Known   []name.Address // endpoints to try, best first
	Timeout time.Duration
	Code    transport.CloseCode
	Reason  string
	Event   membership.Event
	ID      uint64
	Err     error
}

// Never is a Wake that does not come.
const Never = time.Duration(1<<63 - 1)

// Effects is what one Step asks for. The caller owns and reuses it; Step empties it
// first.
type Effects struct {
	List    []Effect      // in the order in which to do them
	Wake    time.Duration // when to Tick unless something else happens before; Never
	Changed bool          // Members or View may say something new
}

func (e *Effects) reset() {
	clear(e.List)
	e.List, e.Wake, e.Changed = e.List[:0], Never, false
}
