package link

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unicode"
	"unicode/utf8"
)

// Version is the version of control frames, stream headers and datagrams.
const Version = 1

// MaxFrame is the largest body of a control frame, in bytes.
const MaxFrame = 64 << 10

// Channel says whom a control frame is for.
type Channel uint8

// The channels. Own is this block's.
const (
	Own        Channel = 0
	Membership Channel = 1
	Registry   Channel = 2
)

// ofNeighbours reports whether frames of a channel pass between neighbours, as long as
// they are that: they do not keep a link that membership has let go.
func (c Channel) ofNeighbours() bool { return c == Membership || c == Registry }

// StreamKind says whom a stream is for.
type StreamKind uint8

// The kinds of streams.
const (
	Messages  StreamKind = 1
	Broadcast StreamKind = 2 // one each way between neighbours, pooled
	Tagged    StreamKind = 3 // one for each stream of a user
)

// ofNeighbours is what it is for a Channel.
func (k StreamKind) ofNeighbours() bool { return k == Broadcast }

// ErrFrame: bytes that are no frame of this protocol.
var ErrFrame = errors.New("malformed frame")

const headerSize = 6

func encodeFrame(channel Channel, body []byte) []byte {
	frame := append(make([]byte, 0, headerSize+len(body)), Version, byte(channel))
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(body)))
	return append(frame, body...)
}

// readFrame reads one frame; the size is checked before anything is allocated.
func readFrame(r io.Reader) (Channel, []byte, error) {
	var head [headerSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	if head[0] != Version {
		return 0, nil, fmt.Errorf("control frame: version %d, want %d: %w", head[0], Version, ErrFrame)
	}
	size := binary.BigEndian.Uint32(head[2:])
	if size > MaxFrame {
		return 0, nil, fmt.Errorf("control frame: %d bytes, at most %d: %w", size, MaxFrame, ErrFrame)
	}
	body := make([]byte, size)
	_, err := io.ReadFull(r, body)
	return Channel(head[1]), body, err
}

// The frames of channel Own: one byte, then what the comment says.
const (
	ownPing    = 1 // id 8
	ownPong    = 2 // id 8, of the ping: all that was sent before it has been read
	ownGoodbye = 3 // close code 4, reason: the last frame; the receiver closes
	ownIdle    = 4 // nothing: may this link be closed?
	ownAgreed  = 5 // nothing: it may; the sender opens no streams here for a while
	ownDrained = 6 // nothing: the sender has no streams here any more and opens none
	ownSurplus = 7 // nothing: may this link be closed, which membership made and let go?
)

const maxReason = 256

// printable is a reason on one line, without anything that moves a cursor or hides,
// cut at maxReason bytes. Reasons come from peers, some of them before they have
// proved anything.
func printable(reason string) string {
	out := make([]byte, 0, min(len(reason), maxReason))
	for _, r := range reason {
		if !unicode.IsPrint(r) {
			r = ' '
		}
		if len(out)+utf8.RuneLen(r) > maxReason {
			break
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out)
}

func goodbyeFrame(code uint32, reason string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{ownGoodbye}, code), printable(reason)...)
}

func parseGoodbye(body []byte) (code uint32, reason string, err error) {
	if len(body) < 4 || len(body) > 4+maxReason {
		return 0, "", fmt.Errorf("good-bye: %d bytes: %w", len(body), ErrFrame)
	}
	return binary.BigEndian.Uint32(body), printable(string(body[4:])), nil
}

func pingFrame(kind byte, id uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{kind}, id)
}

func parsePing(body []byte) (uint64, error) {
	if len(body) != 8 {
		return 0, fmt.Errorf("ping: %d bytes, want 8: %w", len(body), ErrFrame)
	}
	return binary.BigEndian.Uint64(body), nil
}
