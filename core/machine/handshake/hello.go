package handshake

import (
	"bytes"
	"encoding/binary"

	"github.com/barrelp2p/barrel/interfaces/name"
)

const magic = "BARREL"

const (
	flagAuth       = 1 << 0
	flagCookie     = 1 << 1
	flagCookieOnly = 1 << 2
	flagHidden     = 1 << 3
	helloFlags     = flagAuth | flagCookie | flagCookieOnly | flagHidden
)

const (
	maxCluster = 255
	maxWall    = 253402300799999 // the end of the year 9999, in ms since 1970
)

// role is a side of the handshake, as it is written.
type role uint8

const (
	dialer   role = 1
	acceptor role = 2
)

func (r role) other() role { return dialer + acceptor - r }

// String is how texts speak of a node whose name is not known.
func (r role) String() string {
	if r == dialer {
		return "the dialing node"
	}
	return "the node that answered"
}

// hello is the message of that name.
type hello struct {
	versions versions
	flags    uint8
	role     role
	nonce    [32]byte
	wall     int64 // ms since 1970
	epoch    uint64
	expect   name.Node
	Identity
}

// versions is a range of protocol versions, both ends included.
type versions struct{ low, high uint16 }

// highest is the highest version in both ranges.
func (v versions) highest(other versions) (uint16, bool) {
	high := min(v.high, other.high)
	return high, high >= v.low && high >= other.low
}

func (h *hello) has(flag uint8) bool { return h.flags&flag != 0 }

func (h *hello) encode() []byte {
	b := append([]byte{byte(msgHello)}, magic...)
	b = binary.BigEndian.AppendUint16(b, h.versions.low)
	b = binary.BigEndian.AppendUint16(b, h.versions.high)
	b = append(b, h.flags, byte(h.role))
	b = append(b, h.nonce[:]...)
	b = append(b, h.Key[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(h.wall))
	b = binary.BigEndian.AppendUint64(b, h.Incarnation)
	b = binary.BigEndian.AppendUint64(b, h.epoch)
	b = appendText(b, h.Cluster)
	b = appendText(b, h.Node.String())
	b = appendText(b, h.expect.String())
	b = append(b, byte(len(h.Endpoints)))
	for _, a := range h.Endpoints {
		b = appendText(b, a.String())
	}
	return b
}

// openHello reads what every version of HELLO begins with.
func openHello(body []byte) (versions, *reader, *Refusal) {
	rest, ok := bytes.CutPrefix(body, append([]byte{byte(msgHello)}, magic...))
	if !ok {
		return versions{}, nil, notBarrel()
	}
	r := &reader{rest: rest}
	v := versions{low: r.uint16("lowest version"), high: r.uint16("highest version")}
	switch {
	case r.bad != "":
		return v, nil, malformed("HELLO: cut off in %s", r.bad)
	case v.low > v.high:
		return v, nil, malformed("HELLO: versions from %d to %d", v.low, v.high)
	}
	return v, r, nil
}

func notBarrel() *Refusal {
	return refusal(CodeNotBarrel, "first message: not a barrel handshake: check that the address is that of a barrel node")
}

// readHello reads the rest of a HELLO of a version we speak.
func readHello(v versions, r *reader) (*hello, *Refusal) {
	h := &hello{versions: v, flags: r.uint8("flags"), role: role(r.uint8("role"))}
	h.Hidden = h.has(flagHidden)
	h.nonce = r.bytes32("nonce")
	h.Key = r.bytes32("key")
	h.wall = int64(r.uint64("wall clock"))
	h.Incarnation = r.uint64("incarnation")
	h.epoch = r.uint64("epoch")
	h.Cluster = r.text("cluster")
	node, expect := r.text("node"), r.text("dialed node")
	if r.bad != "" {
		return nil, malformed("HELLO: cut off in %s", r.bad)
	}
	if bad := h.readNames(node, expect); bad != nil {
		return nil, bad
	}
	if bad := h.readEndpoints(r); bad != nil {
		return nil, bad
	}
	skipExtensions(r)
	if r.bad != "" {
		return nil, malformed("HELLO: cut off in %s", r.bad)
	}
	return h, h.sane()
}

func (h *hello) readNames(node, expect string) (bad *Refusal) {
	if h.Node, bad = readNode("own name", node); bad != nil || expect == "" {
		return bad
	}
	h.expect, bad = readNode("dialed name", expect)
	return bad
}

func readNode(field, text string) (name.Node, *Refusal) {
	node, err := name.ParseNode(text)
	if err != nil {
		return name.Node{}, refusal(CodeName, "HELLO: %s: %v: correct node.name", field, err)
	}
	if node.String() != text {
		return name.Node{}, refusal(CodeName, "HELLO: %s: %s is to be spelled %s", field, quote(text), quote(node.String()))
	}
	return node, nil
}

func (h *hello) readEndpoints(r *reader) *Refusal {
	count := int(r.uint8("endpoints"))
	if count > MaxEndpoints {
		return refusal(CodeEndpoints, "HELLO: %d endpoints, at most %d: advertise fewer", count, MaxEndpoints)
	}
	for range count {
		text := r.text("endpoints")
		if r.bad != "" {
			return nil // the caller looks
		}
		a, err := name.ParseAddress(text)
		if err != nil || a.String() != text {
			return refusal(CodeEndpoints, "HELLO: endpoint %s is not host:port in its shortest spelling", quote(text))
		}
		h.Endpoints = append(h.Endpoints, a)
	}
	return nil
}

func skipExtensions(r *reader) {
	for len(r.rest) > 0 && r.bad == "" {
		r.uint16("extensions")
		r.take(int(r.uint16("extensions")), "extensions")
	}
}

// sane checks the values that have a range of their own.
func (h *hello) sane() *Refusal {
	switch {
	case h.flags&^helloFlags != 0:
		return malformed("HELLO: unknown flags %#x", h.flags&^helloFlags)
	case h.role != dialer && h.role != acceptor:
		return malformed("HELLO: role %d", h.role)
	case h.nonce == [32]byte{}:
		return malformed("HELLO: nonce is zero")
	case h.Key == [32]byte{}:
		return malformed("HELLO: key is zero")
	case h.wall < 0 || h.wall > maxWall:
		return malformed("HELLO: wall clock is not between the years 1970 and 9999")
	case h.Cluster == "" || len(h.Cluster) > maxCluster:
		return malformed("HELLO: cluster of %d bytes, from 1 to %d", len(h.Cluster), maxCluster)
	}
	return nil
}
