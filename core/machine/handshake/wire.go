package handshake

import "encoding/binary"

// reader takes a body apart. After the first field that is not there, bad names it
// and every further field is zero.
type reader struct {
	rest []byte
	bad  string
}

func (r *reader) take(n int, field string) []byte {
	if r.bad != "" || n > len(r.rest) {
		if r.bad == "" {
			r.bad = field
		}
		return nil
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *reader) uint8(field string) uint8 {
	if b := r.take(1, field); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint16(field string) uint16 {
	if b := r.take(2, field); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) uint64(field string) uint64 {
	if b := r.take(8, field); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reader) bytes32(field string) (out [32]byte) {
	copy(out[:], r.take(32, field))
	return out
}

// text is a length and that many bytes, cut off from the body it came in.
func (r *reader) text(field string) string {
	return string(r.take(int(r.uint16(field)), field))
}

func appendText(dst []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(s))), s...)
}
