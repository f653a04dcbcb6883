package broadcast

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/barrelp2p/barrel/core/machine/plumtree"
)

// ErrFrame: bytes that are no frame of this block.
var ErrFrame = errors.New("malformed broadcast frame")

const (
	headSize  = 4
	maxBody   = MaxData + 1<<10 // a message with what is around it; lists are shorter
	syncMark  = 'S'
	syncAsk   = 0
	syncReply = 1
	syncSize  = 10
)

// frame encodes a message.
func frame(msg *plumtree.Message) []byte {
	size := plumtree.Size(msg)
	out := binary.BigEndian.AppendUint32(make([]byte, 0, headSize+size), uint32(size))
	return plumtree.Append(out, msg)
}

// syncFrame asks, or answers, whether all before it has been read.
func syncFrame(kind byte, id uint64) []byte {
	out := binary.BigEndian.AppendUint32(make([]byte, 0, headSize+syncSize), syncSize)
	return binary.BigEndian.AppendUint64(append(out, syncMark, kind), id)
}

// readBody reads one frame; its size is checked before anything is allocated.
func readBody(r io.Reader) ([]byte, error) {
	var head [headSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size == 0 || size > maxBody {
		return nil, fmt.Errorf("broadcast frame: %d bytes, from 1 to %d: %w", size, maxBody, ErrFrame)
	}
	body := make([]byte, size)
	_, err := io.ReadFull(r, body)
	return body, err
}

// parseSync takes a sync frame apart; ok is false for any other body.
func parseSync(body []byte) (kind byte, id uint64, ok bool) {
	if len(body) != syncSize || body[0] != syncMark || body[1] > syncReply {
		return 0, 0, false
	}
	return body[1], binary.BigEndian.Uint64(body[2:]), true
}
