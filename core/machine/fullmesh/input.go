package fullmesh

import (
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// InputKind says what a Step is about.
type InputKind uint8

// The inputs; each has a function of the same or nearly the same name that makes one.
const (
	InTick InputKind = iota + 1
	InLinkUp
	InLinkDown
	InFrame
	InConnected
	InJoin
	InLeave
	InCancel
)

// Input is one thing that happened.
type Input struct {
	Kind InputKind
	Peer membership.Peer     // LinkUp, LinkDown, Frame
	Data []byte              // Frame; not kept
	Code transport.CloseCode // LinkDown
	Node name.Node           // Connected, Join
	Err  error               // Connected: why there is no link; nil if there is one
	ID   uint64              // Join, Leave, Cancel: the caller's number for the command
}

// Tick says that time has passed.
func Tick() Input { return Input{Kind: InTick} }

// LinkUp says that there is a link to peer now.
func LinkUp(peer membership.Peer) Input { return Input{Kind: InLinkUp, Peer: peer} }

// LinkDown says that the link to peer is gone, and why.
func LinkDown(peer membership.Peer, code transport.CloseCode) Input {
	return Input{Kind: InLinkDown, Peer: peer, Code: code}
}

// Frame brings bytes from peer. If the machine knows of no link to peer, for instance
// because it is younger than the link, the frame also says LinkUp.
func Frame(peer membership.Peer, data []byte) Input {
	return Input{Kind: InFrame, Peer: peer, Data: data}
}

// Connected is the outcome of a Connect effect. Every one gets exactly one.
func Connected(node name.Node, err error) Input {
	return Input{Kind: InConnected, Node: node, Err: err}
}

// Join is the command to enter the cluster through node; the effect JoinDone with
// the same id answers it.
func Join(id uint64, node name.Node) Input { return Input{Kind: InJoin, ID: id, Node: node} }

// Leave is the command to leave the cluster; LeaveDone with the same id answers it.
func Leave(id uint64) Input { return Input{Kind: InLeave, ID: id} }

// Cancel says that nobody waits for the answer to that command any more.
func Cancel(id uint64) Input { return Input{Kind: InCancel, ID: id} }
