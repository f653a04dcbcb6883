package process

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// encode is a frame as it travels, the length included.
func (f *frame) encode() []byte {
	b := beginFrame(nil, f.kind)
	if f.large {
		b = append(appendNumber(appendNumber(beginFrame(nil, frameLarge), f.token), f.size), f.kind)
	}
	number := func(n uint64) { b = appendNumber(b, n) }
	payload := func() { b = appendPayload(b, &packed{codec: f.codec, kind: string(f.typeName), data: f.data}, true) }
	switch f.kind {
	case frameOpen:
		number(f.account)
		b = appendTarget(b, f.target)
	case frameSend:
		number(f.account)
		number(f.sender)
		payload()
	case frameCall:
		number(f.account)
		number(f.call)
		b = binary.BigEndian.AppendUint32(append(b, f.flags), f.left)
		number(f.sender)
		payload()
	case frameReply:
		number(f.call)
		payload()
	case frameFault:
		number(f.call)
		b = appendFault(b, f.fault)
	case frameCancel:
		number(f.call)
	case frameCredit:
		b = append(b, f.shard)
		for _, n := range []uint64{f.generation, f.account, f.messages, f.bytes} {
			number(n)
		}
	case frameRead:
		b = append(b, f.shard)
		number(f.generation)
		number(f.messages)
	case frameSignal:
		b = append(b, f.signal)
		number(f.sender)
		b = appendTarget(b, f.target)
		number(f.number)
		b = appendFault(b, f.fault)
	}
	return endFrame(b, 0)
}

func frames(node name.Node) []*frame {
	byName := ToName(node, name.MustService("a/b"))
	byRef := ToRef(name.Ref{Node: node, Incarnation: 3, ID: 4})
	why := fault{status: statusBusy, text: "why", kinds: []string{"eof", "mine"}}
	return []*frame{
		{kind: frameOpen, account: 1, target: byName},
		{kind: frameOpen, account: 300, target: byRef},
		{kind: frameSend, account: 1, sender: 1, codec: Raw, data: []byte("x")},
		{kind: frameSend, account: 1, sender: 1},
		{kind: frameCall, account: 2, call: 7, flags: flagReceipt, left: 1, sender: 2, codec: CBOR, typeName: []byte("t"), data: []byte("y")},
		{kind: frameReply, call: 7, codec: Text, data: []byte("z")},
		{kind: frameFault, call: 7, fault: why},
		{kind: frameCancel, call: 7},
		{kind: frameCredit, shard: 1, generation: 2, account: 3, messages: 4, bytes: 5},
		{kind: frameRead, shard: 1, generation: 2, messages: 300},
		{kind: frameSignal, signal: sigExit, sender: 9, target: byRef, number: 8, fault: why},
		{kind: frameSend, large: true, token: 5, size: 1 << 20, account: 1, sender: 1, codec: Protobuf, typeName: []byte("p")},
		{kind: frameReply, large: true, token: 5, size: 1 << 20, call: 4, codec: Raw},
	}
}

func FuzzDecode(f *testing.F) {
	node := name.MustNode("a@h")
	for _, x := range frames(node) {
		f.Add(x.encode()[3:])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var x, again frame
		if err := x.decode(body, node); err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("error of no kind: %v", err)
			}
			return
		}
		if err := again.decode(x.encode()[3:], node); err != nil || !bytes.Equal(again.encode(), x.encode()) {
			t.Errorf("%+v became %+v, %v", x, again, err)
		}
	})
}

func FuzzReadFrame(f *testing.F) {
	for _, x := range frames(name.MustNode("a@h")) {
		f.Add(x.encode())
	}
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		body, err := firstFrame(data)
		switch {
		case err == nil && !bytes.HasPrefix(data[3:], body):
			t.Errorf("%x was read as %x", data, body)
		case errors.Is(err, io.EOF) && len(data) > 0:
			t.Errorf("%x looks like the end in good order", data)
		}
	})
}

// firstFrame reads a frame, one byte after the other.
func firstFrame(data []byte) (body []byte, err error) {
	c := newCutter(iotest.OneByteReader(bytes.NewReader(data)))
	for body == nil && err == nil {
		if body, err = c.next(); body == nil && err == nil {
			err = c.fill()
		}
	}
	return body, err
}

func FuzzStreamHeader(f *testing.F) {
	f.Add(encodeStreamHeader(1, 2, 1))
	f.Add([]byte{replyShard + 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		shard, generation, after, err := readStreamHeader(bytes.NewReader(data))
		if err == nil && !bytes.Equal(encodeStreamHeader(shard, generation, after), data[:streamHeader]) {
			t.Errorf("%x was read as %d, %d, %d", data, shard, generation, after)
		}
	})
}

// FuzzPayload: bytes of a peer become a value or an error, whatever type it names.
func FuzzPayload(f *testing.F) {
	types := NewTypes()
	if err := types.Add("thing", thing{}); err != nil {
		f.Fatal(err)
	}
	for _, v := range []any{thing{Name: "a", Any: thing{Name: "b"}}, map[string]any{"x": []any{1, "y"}}, name.Ref{Node: name.MustNode("a@h"), ID: 1}} {
		p, err := types.pack(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(byte(p.codec), p.kind, p.data)
	}
	f.Add(byte(Protobuf), "google.protobuf.Empty", []byte{0xff})
	f.Fuzz(func(t *testing.T, codec byte, kind string, data []byte) {
		v, err := types.value(&Encoded{Codec: Codec(codec), Type: kind, Data: data})
		if err != nil && !errors.Is(err, ErrBadPayload) {
			t.Errorf("error of no kind: %v", err)
		}
		if _, stays := v.(*Encoded); err == nil && v != nil && !stays {
			if p, err := types.pack(v); err == nil {
				types.unpack(p)
			}
		}
	})
}

type thing struct {
	Name string
	Any  any
	Ref  name.Ref
}

func TestFramesSurviveTheWire(t *testing.T) {
	node := name.MustNode("a@h")
	for _, x := range frames(node) {
		body, err := firstFrame(x.encode())
		must(t, err)
		var got frame
		if err := got.decode(body, node); err != nil || !bytes.Equal(got.encode(), x.encode()) {
			t.Errorf("%+v became %+v, %v", x, got, err)
		}
	}
}
