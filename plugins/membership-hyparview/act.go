package membershiphyparview

import (
	"errors"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// act is one thing that the mind wants done. It is done outside the lock, by the loop.
type act struct {
	kind    actKind
	hold    bool
	peer    overlay.Peer
	code    transport.CloseCode
	node    name.Node
	known   []name.Address
	data    []byte
	text    string
	event   membership.Event
	timeout time.Duration
	answer  chan error
	err     error
}

type actKind uint8

const (
	actEmit actKind = iota + 1
	actSend
	actOnce
	actDial
	actHold
	actClose
	actBroadcast
	actFlush
	actAnswer
)

func isBusy(err error) bool { return errors.Is(err, membership.ErrBusy) }
