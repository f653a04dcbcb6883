package process

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/barrelp2p/barrel/interfaces/name"
)

func frames(node name.Node) []*frame {
	byName := ToName(node, name.MustService("a/b"))
	byRef := ToRef(name.Ref{Node: node, Incarnation: 3, ID: 4})
	return []*frame{
		{kind: frameSend, sender: 1, target: byName, payload: []byte("x")},
		{kind: frameSend, sender: 1, target: byRef},
		{kind: frameCall, call: 7, flags: flagReceipt, left: 1, sender: 2, target: byRef, payload: []byte("y")},
		{kind: frameReply, call: 7, status: statusBusy, payload: []byte("z")},
		{kind: frameCancel, call: 7},
	}
}

func FuzzDecode(f *testing.F) {
	node := name.MustNode("a@h")
	for _, x := range frames(node) {
		f.Add(x.encode()[4:])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		x, err := decode(body, node)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("error of no kind: %v", err)
			}
			return
		}
		again, err := decode(x.encode()[4:], node)
		if err != nil || !bytes.Equal(again.encode(), x.encode()) {
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
		r := bytes.NewReader(data)
		body, err := readFrame(r)
		switch {
		case err == nil && !bytes.Equal(body, data[4:len(data)-r.Len()]):
			t.Errorf("%x was read as %x", data, body)
		case errors.Is(err, io.EOF) && len(data) > 0:
			t.Errorf("%x looks like the end in good order", data)
		}
	})
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

func TestFramesSurviveTheWire(t *testing.T) {
	node := name.MustNode("a@h")
	for _, x := range frames(node) {
		body, err := readFrame(bytes.NewReader(x.encode()))
		must(t, err)
		got, err := decode(body, node)
		if err != nil || got.target != x.target || !bytes.Equal(got.encode(), x.encode()) {
			t.Errorf("%+v became %+v, %v", x, got, err)
		}
	}
}
