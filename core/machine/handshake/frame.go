package handshake

import (
	"encoding/binary"
	"io"
)

// MaxFrame is the largest body of a frame, in bytes.
const MaxFrame = 2048

// AppendFrame appends body as a frame to dst. A body out of Effects.Send always fits.
func AppendFrame(dst, body []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(body)))
	return append(dst, body...)
}

// ReadFrame reads one frame from r and not a byte more, however the bytes are cut. A
// length above MaxFrame is an error that wraps ErrOversized, found before anything is
// allocated; other errors are those of io.ReadFull. Feed them all to the machine as
// Broken.
func ReadFrame(r io.Reader) ([]byte, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	size := int(binary.BigEndian.Uint16(head[:]))
	if size > MaxFrame {
		return nil, oversized(size)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return body, nil
}
