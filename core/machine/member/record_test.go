package member_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/barrelp2p/barrel/core/machine/member"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

func key(seed byte) (ed25519.PrivateKey, trust.Key) {
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32))
	return private, trust.Key(private.Public().(ed25519.PublicKey))
}

func sample() (member.Record, ed25519.PrivateKey) {
	private, public := key(7)
	return member.Record{
		Node: name.MustNode("a@10.0.0.1"), Key: public, Cluster: "default", Incarnation: 0x0102030405060708, Ref: 9,
		Endpoints: []name.Address{name.MustAddress("10.0.0.1:9100"), name.MustAddress("[2001:db8::1]:9100")},
	}, private
}

func seal(r member.Record, private ed25519.PrivateKey) []byte {
	body := r.Encode()
	return member.Seal(body, [64]byte(ed25519.Sign(private, trust.Signed(trust.ForMembership, body))))
}

func TestWhatIsSealedOpens(t *testing.T) {
	want, private := sample()
	got, err := member.Open(seal(want, private))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("opened %+v, %v; want %+v", got, err, want)
	}
}

// TestGolden: the bytes are the protocol. If this fails, nodes of two versions do not
// understand each other.
func TestGolden(t *testing.T) {
	r, private := sample()
	const want = "4d0100010203040506070800000009" + // state, incarnation, refutation
		"ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c" +
		"0a614031302e302e302e31" + "0764656661756c74" + "02" +
		"0d31302e302e302e313a39313030" + "125b323030313a6462383a3a315d3a39313030"
	if got := hex.EncodeToString(r.Encode()); got != want {
		t.Errorf("encoded %s\nwant    %s", got, want)
	}
	sealed := seal(r, private)
	if got := hex.EncodeToString(sealed[len(sealed)-64:][:8]); got != "29950141053771c6" {
		t.Errorf("signature begins %s, want %s", got, "29950141053771c6")
	}
}

// TestNobodyElseCanSay: any change, and any other key, and it proves nothing.
func TestNobodyElseCanSay(t *testing.T) {
	r, private := sample()
	sealed := seal(r, private)
	for i := range sealed {
		forged := bytes.Clone(sealed)
		forged[i] ^= 1
		if got, err := member.Open(forged); !errors.Is(err, member.ErrRecord) {
			t.Fatalf("byte %d changed: %+v, %v", i, got, err)
		}
	}
	other, _ := key(8)
	if _, err := member.Open(seal(r, other)); !errors.Is(err, member.ErrRecord) {
		t.Errorf("signed by another key: %v", err)
	}
	for n := range sealed {
		if _, err := member.Open(sealed[:n]); !errors.Is(err, member.ErrRecord) {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
}

// TestLongRecordsTellWhatFits: the least useful endpoints go first, the name never.
func TestLongRecordsTellWhatFits(t *testing.T) {
	r, private := sample()
	r.Node = name.MustNode(strings.Repeat("n", 200) + "@10.0.0.1")
	r.Cluster = strings.Repeat("c", 255)
	r.Endpoints = nil
	for range 12 {
		r.Endpoints = append(r.Endpoints, name.MustAddress(strings.Repeat("h", 60)+".example:9100"))
	}
	sealed := seal(r, private)
	got, err := member.Open(sealed)
	if err != nil || len(sealed) > member.MaxSealed {
		t.Fatalf("%d bytes, %v", len(sealed), err)
	}
	if got.Node != r.Node || len(got.Endpoints) == 0 || len(got.Endpoints) >= len(r.Endpoints) {
		t.Errorf("%s with %d endpoints", got.Node, len(got.Endpoints))
	}
}

func TestCompare(t *testing.T) {
	r := func(inc uint64, ref uint32, left bool) *member.Record {
		return &member.Record{Incarnation: inc, Ref: ref, Left: left}
	}
	rising := []*member.Record{r(1, 0, false), r(1, 0, true), r(1, 1, false), r(1, 1, true), r(2, 0, false)}
	for i := range rising {
		for j := range rising {
			want := 0
			if i != j {
				want = 1
			}
			if i < j {
				want = -1
			}
			if got := rising[i].Compare(rising[j]); got != want {
				t.Errorf("%d to %d: %d, want %d", i, j, got, want)
			}
		}
	}
}

func FuzzOpen(f *testing.F) {
	r, private := sample()
	f.Add(seal(r, private))
	r.Left, r.Endpoints = true, nil
	f.Add(seal(r, private))
	f.Add([]byte("M\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := member.Decode(data)
		if err != nil {
			if !errors.Is(err, member.ErrRecord) {
				t.Errorf("error of another kind: %v", err)
			}
			return
		}
		again, err := member.Decode(got.Encode())
		if err != nil || !reflect.DeepEqual(got, again) {
			t.Errorf("%+v became %+v, %v", got, again, err)
		}
	})
}
