package overlay

// InKind says what a Step is about.
type InKind uint8

// The inputs.
const (
	InMsg        InKind = iota + 1 // Peer, Inc, Msg: the sender as the link proved it to be
	InTimer                        // Timer, as it was armed
	InLinkUp                       // Peer, Inc: there is a link to that life of Peer
	InLinkDown                     // Peer, Inc, Reason: it is gone; after its last message
	InDialFailed                   // Peer, Reason: the answer to Dial when it is not InLinkUp
	InPersisted                    // Record: it is on disk
	InCommand                      // Cmd
)

// Input is one thing that happened to a node.
type Input[M any] struct {
	Kind   InKind
	Reason Reason
	Peer   Peer
	Inc    uint64
	Timer  Timer
	Record Record
	Msg    M
	Cmd    Command
}

// Op is what a command asks for.
type Op uint8

// The commands. Each is for the machine that knows it; the others ignore it.
const (
	OpJoin      Op = iota + 1 // Peer: enter the cluster through it
	OpLeave                   // tell the neighbours good-bye and become passive
	OpContacts                // Peers: the answer to Effects.Discover, empty if none are known
	OpReach                   // Peers: members of the cluster to which there seems to be no path
	OpBroadcast               // Key, Data: to everybody
	OpSlow                    // Peer: its link is full, send no payload unasked
	OpFast                    // Peer: its link has room again
	OpDown                    // Peer: it is known to be dead
	OpForget                  // Peer: it is nobody any more; nothing of it is kept
	OpRenew                   // the node's own record has changed: say so with a higher stamp
	OpTick                    // whatever the machine does by itself, do it now
)

// Command is what a user or another machine asks of a machine.
type Command struct {
	Op    Op
	Peer  Peer
	Key   uint64
	Peers []Peer
	Data  []byte
}
