package link

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"unicode/utf8"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func FuzzReadFrame(f *testing.F) {
	f.Add(encodeFrame(Own, pingFrame(ownPing, 1)))
	f.Add(encodeFrame(Membership, nil))
	f.Add([]byte{Version, 0, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{2})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bytes.NewReader(data)
		channel, body, err := readFrame(r)
		if err != nil {
			if !errors.Is(err, ErrFrame) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("error of no kind: %v", err)
			}
			return
		}
		read := data[:len(data)-r.Len()]
		if again := encodeFrame(channel, body); !bytes.Equal(again, read) {
			t.Errorf("read %x, which is written %x", read, again)
		}
	})
}

func FuzzGoodbye(f *testing.F) {
	f.Add(goodbyeFrame(3, "idle")[1:])
	f.Add([]byte("\x00\x00\x00\x02\x1b[2J\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		code, reason, err := parseGoodbye(data)
		if err != nil {
			return
		}
		if len(reason) > maxReason || !utf8.ValidString(reason) || reason != printable(reason) {
			t.Errorf("reason %q", reason)
		}
		again, text, err := parseGoodbye(goodbyeFrame(code, reason)[1:])
		if err != nil || again != code || text != reason {
			t.Errorf("%d %q became %d %q, %v", code, reason, again, text, err)
		}
	})
}

func FuzzPing(f *testing.F) {
	f.Add(pingFrame(ownPong, 1<<60)[1:])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		if id, err := parsePing(data); err == nil && !bytes.Equal(pingFrame(ownPing, id)[1:], data) {
			t.Errorf("%x became %d", data, id)
		}
	})
}

func FuzzStreamHeader(f *testing.F) {
	f.Add([]byte{Version, byte(Messages)})
	f.Add([]byte{2, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		kind, err := parseStreamHeader(bytes.NewReader(data))
		if ok := len(data) >= 2 && data[0] == Version; ok != (err == nil) || ok && byte(kind) != data[1] {
			t.Errorf("%x: %d, %v", data, kind, err)
		}
	})
}

func TestPlace(t *testing.T) {
	for host, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "2001:db8::1": "2001:db8::/64", "2001:db8::ffff:0:1": "2001:db8::/64",
		"2001:db8:0:1::1": "2001:db8:0:1::/64", "fe80::1%eth0": "fe80::/64", "mem": "mem", "": "",
	} {
		if got := place(host); got != want {
			t.Errorf("place(%q) = %q, want %q", host, got, want)
		}
	}
}
