package registryormap

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// An entry in the log of its owner:
//
//	key     service, a zero byte, id of the reference (8, big-endian)
//	value   Since in nanoseconds since 1970 (uvarint), number of pairs, then each, sorted by
//	        key: length, key, length, value
//
// Node and incarnation are those of the log.

var errEntry = errors.New("no entry")

func keyOf(service name.Service, id uint64) string {
	return string(binary.BigEndian.AppendUint64(append([]byte(service.String()), 0), id))
}

func valueOf(e *registry.Entry) string {
	keys := make([]string, 0, len(e.Meta))
	for key := range e.Meta {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	b := binary.AppendUvarint(nil, uint64(max(e.Since.UnixNano(), 0)))
	b = binary.AppendUvarint(b, uint64(len(keys)))
	for _, key := range keys {
		b = append(binary.AppendUvarint(b, uint64(len(key))), key...)
		b = append(binary.AppendUvarint(b, uint64(len(e.Meta[key]))), e.Meta[key]...)
	}
	return string(b)
}

// parseKey takes a key apart. The name shares the memory of the key.
func parseKey(key string) (service name.Service, id uint64, err error) {
	text, rest, found := strings.Cut(key, "\x00")
	if !found || len(rest) != 8 {
		return service, 0, errEntry
	}
	for i := range 8 {
		id = id<<8 | uint64(rest[i])
	}
	service, err = name.ParseService(text)
	if id == 0 {
		err = errEntry
	}
	return service, id, err
}

// parseValue reads what valueOf wrote, from anybody. The texts share the memory of the
// value, and entries with the same metadata may share its map.
func parseValue(val string, known *metas) (since time.Time, meta map[string]string, err error) {
	r := textReader{rest: val}
	nanos := r.number()
	if r.bad || nanos > 1<<62 {
		return since, nil, errEntry
	}
	meta, found := known.get(r.rest)
	if !found {
		text := r.rest
		if meta, err = r.meta(known.none); err != nil {
			return since, nil, err
		}
		known.keep(text, meta)
	}
	return time.Unix(0, int64(nanos)).UTC(), meta, nil
}

// meta reads metadata to the end; without pairs it is none.
func (r *textReader) meta(none map[string]string) (meta map[string]string, err error) {
	pairs := r.number()
	if r.bad || pairs > registry.MaxPairs || pairs*2 > uint64(len(r.rest)) {
		return nil, errEntry
	}
	if meta = none; pairs > 0 {
		meta = make(map[string]string, pairs)
	}
	size, last := 0, ""
	for i := range pairs {
		key, value := r.text(), r.text()
		r.bad = r.bad || i > 0 && key <= last
		size, last = size+len(key)+len(value), key
		if !r.bad {
			meta[key] = value
		}
	}
	if r.bad || len(r.rest) > 0 || size > registry.MaxMeta {
		return nil, errEntry
	}
	return meta, nil
}

// textReader takes fields off a string; after the first that does not fit it is bad.
type textReader struct {
	rest string
	bad  bool
}

func (r *textReader) number() (n uint64) {
	for i := 0; i < len(r.rest) && i < binary.MaxVarintLen64; i++ {
		b := r.rest[i]
		n |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			r.rest = r.rest[i+1:]
			return n
		}
	}
	r.bad = true
	return 0
}

func (r *textReader) text() string {
	n := r.number()
	if r.bad || n > uint64(len(r.rest)) {
		r.bad = true
		return ""
	}
	t := r.rest[:n]
	r.rest = r.rest[n:]
	return t
}
