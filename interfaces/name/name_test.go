package name_test

import (
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// parsing is a table of texts: want is the canonical text, or what the error says.
type parsing map[string]struct{ text, want, wrong string }

func (p parsing) run(t *testing.T, parse func(string) (string, error)) {
	t.Helper()
	for what, test := range p {
		t.Run(what, func(t *testing.T) {
			got, err := parse(test.text)
			if test.wrong == "" {
				if err != nil || got != test.want {
					t.Errorf("%q: got %q, %v; want %q", test.text, got, err, test.want)
				}
				return
			}
			if !errors.Is(err, name.ErrInvalid) || !strings.Contains(err.Error(), test.wrong) {
				t.Errorf("%q: error %v, want one that says %q", test.text, err, test.wrong)
			}
			if err != nil && len(err.Error()) > 600 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}

func TestParseNode(t *testing.T) {
	parsing{
		"IPv4":               {text: "a@10.0.0.1", want: "a@10.0.0.1"},
		"DNS name":           {text: "db-1.eu@Host.Example.ORG", want: "db-1.eu@host.example.org"},
		"one label":          {text: "A_b@box", want: "A_b@box"},
		"digits only":        {text: "7@123456789012", want: "7@123456789012"},
		"IPv6":               {text: "a@[FD00:0:0::1]", want: "a@[fd00::1]"},
		"IPv4 as IPv6":       {text: "a@[::ffff:10.0.0.1]", want: "a@10.0.0.1"},
		"longest":            {text: strings.Repeat("n", 253) + "@h", want: strings.Repeat("n", 253) + "@h"},
		"too long":           {text: strings.Repeat("n", 254) + "@h", wrong: "256 bytes; at most 255"},
		"far too long":       {text: strings.Repeat("ü", 1<<20), wrong: "at most 255"},
		"empty":              {text: "", wrong: "no @"},
		"no host":            {text: "a@", wrong: "host after @ has a part that is empty"},
		"no name":            {text: "@h", wrong: "name before @ is empty"},
		"two @":              {text: "a@b@c", wrong: "has '@'"},
		"space":              {text: "a b@h", wrong: "has ' '"},
		"letter of a people": {text: "größe@h", wrong: "has 'ö'"},
		"broken UTF-8":       {text: "a\xff@h", wrong: "has '�'"},
		"newline":            {text: "a@h\n", wrong: `has '\n'`},
		"slash":              {text: "../../etc@h", wrong: "starts with '.'"},
		"leading dash":       {text: "-rf@h", wrong: "starts with '-'"},
		"bare IPv6":          {text: "a@fd00::1", wrong: "put an IPv6 address in brackets"},
		"open bracket":       {text: "a@[fd00::1", wrong: "no closing bracket"},
		"zone":               {text: "a@[fe80::1%eth0]", wrong: "without zone"},
		"IPv4 in brackets":   {text: "a@[10.0.0.1]", wrong: "no IPv6 address"},
		"IPv4 too large":     {text: "a@10.0.0.256", wrong: "is no IPv4 address"},
		"IPv4 leading zero":  {text: "a@10.0.0.01", wrong: "is no IPv4 address"},
		"IPv4 too short":     {text: "a@10.0.1", wrong: "is no IPv4 address"},
		"trailing dot":       {text: "a@host.", wrong: "is empty"},
		"port":               {text: "a@10.0.0.1:9100", wrong: "has a colon"},
	}.run(t, func(s string) (string, error) { n, err := name.ParseNode(s); return n.String(), err })
}

func TestParseAddress(t *testing.T) {
	parsing{
		"IPv4":             {text: "10.0.0.1:9100", want: "10.0.0.1:9100"},
		"DNS name":         {text: "Seed1.Example.org:9100", want: "seed1.example.org:9100"},
		"IPv6":             {text: "[FD00:0::1]:1", want: "[fd00::1]:1"},
		"IPv6 with zone":   {text: "[fe80::1%eth0]:65535", want: "[fe80::1%eth0]:65535"},
		"IPv4 as IPv6":     {text: "[::ffff:10.0.0.1]:9100", want: "10.0.0.1:9100"},
		"leading zero":     {text: "h:0080", want: "h:80"},
		"no port":          {text: "10.0.0.1", wrong: "write host:port"},
		"empty port":       {text: "10.0.0.1:", wrong: "port must be a number"},
		"port zero":        {text: "10.0.0.1:0", wrong: "from 1 to 65535"},
		"port too large":   {text: "10.0.0.1:65536", wrong: "from 1 to 65535"},
		"port by name":     {text: "h:http", wrong: "from 1 to 65535"},
		"no host":          {text: ":9100", wrong: "host has a part that is empty"},
		"no brackets":      {text: "fd00::1:9100", wrong: "an IPv6 host in brackets"},
		"IPv4 too large":   {text: "10.0.0.999:9100", wrong: "is no IPv4 address"},
		"control in zone":  {text: "[fe80::1%a\nb]:9100", wrong: "has a zone that has"},
		"space":            {text: "ho st:9100", wrong: "has ' '"},
		"far too long":     {text: strings.Repeat("h", 1<<20) + ":1", wrong: "write host:port"},
		"empty":            {text: "", wrong: "write host:port"},
		"path in the host": {text: "http://h:80", wrong: "write host:port"},
	}.run(t, func(s string) (string, error) { a, err := name.ParseAddress(s); return a.String(), err })
}

func TestParseService(t *testing.T) {
	parsing{
		"word":         {text: "counter", want: "counter"},
		"namespace":    {text: "chat_room/general.v2/A-b", want: "chat_room/general.v2/A-b"},
		"longest":      {text: strings.Repeat("s", 255), want: strings.Repeat("s", 255)},
		"too long":     {text: strings.Repeat("s", 256), wrong: "256 bytes; at most 255"},
		"empty":        {text: "", wrong: "is empty"},
		"empty part":   {text: "a//b", wrong: "a part is empty"},
		"ends in /":    {text: "a/", wrong: "a part is empty"},
		"dots":         {text: "a/../b", wrong: "starts with '.'"},
		"at":           {text: "a@b", wrong: "has '@'"},
		"space":        {text: "a b", wrong: "has ' '"},
		"not a letter": {text: "naïve", wrong: "has 'ï'"},
	}.run(t, func(s string) (string, error) { v, err := name.ParseService(s); return v.String(), err })
}

func TestParseRef(t *testing.T) {
	parsing{
		"good":             {text: "a@10.0.0.1/1790000000000/17", want: "a@10.0.0.1/1790000000000/17"},
		"largest":          {text: "a@h/18446744073709551615/18446744073709551615", want: "a@h/18446744073709551615/18446744073709551615"},
		"canonical":        {text: "a@H/007/1", want: "a@h/7/1"},
		"no incarnation":   {text: "a@h/1", wrong: "write node/incarnation/id"},
		"too many":         {text: "a@h/1/2/3", wrong: "write node/incarnation/id"},
		"id zero":          {text: "a@h/1/0", wrong: "id at least 1"},
		"sign":             {text: "a@h/+1/1", wrong: "decimal numbers"},
		"too large":        {text: "a@h/1/18446744073709551616", wrong: "decimal numbers"},
		"node is wrong":    {text: "a/1/1", wrong: "no @"},
		"a lot of slashes": {text: strings.Repeat("/", 1<<16), wrong: "write node/incarnation/id"},
	}.run(t, func(s string) (string, error) { r, err := name.ParseRef(s); return r.String(), err })
}

func TestParts(t *testing.T) {
	n := name.MustNode("a@[fd00::1]")
	if n.Base() != "a" || n.Host() != "fd00::1" {
		t.Errorf("node parts %q and %q", n.Base(), n.Host())
	}
	a := name.MustAddress("[fd00::1]:9100")
	if a.Host() != "fd00::1" || a.Port() != 9100 {
		t.Errorf("address parts %q and %d", a.Host(), a.Port())
	}
	from := name.AddressFrom(netip.MustParseAddrPort("[::ffff:10.0.0.1]:7"))
	if from != name.MustAddress("10.0.0.1:7") {
		t.Errorf("address %v", from)
	}
}

func TestZeroValuesAreNothing(t *testing.T) {
	var n name.Node
	var a name.Address
	var s name.Service
	var r name.Ref
	if !n.IsZero() || !a.IsZero() || !s.IsZero() || !r.IsZero() {
		t.Error("a zero value is something")
	}
	if text := n.String() + a.String() + s.String() + r.String() + n.Base() + n.Host() + a.Host(); text != "" || a.Port() != 0 {
		t.Errorf("a zero value reads %q, port %d", text, a.Port())
	}
	if name.MustNode("a@h").IsZero() {
		t.Error("a node is nothing")
	}
}

func TestMustPanicsOnWhatParseRefuses(t *testing.T) {
	for what, must := range map[string]func(){
		"node":    func() { name.MustNode("a") },
		"address": func() { name.MustAddress("a") },
		"service": func() { name.MustService("") },
	} {
		t.Run(what, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			must()
		})
	}
}

// document has every kind of name, once there and once not.
type document struct {
	Node    name.Node            `json:"node"`
	Address name.Address         `json:"address"`
	Service name.Service         `json:"service"`
	Ref     name.Ref             `json:"ref"`
	Nodes   map[name.Node]string `json:"nodes"`
	NoRef   name.Ref             `json:"no_ref"`
	NoNode  name.Node            `json:"no_node"`
	NoAddr  name.Address         `json:"no_addr"`
	NoServ  name.Service         `json:"no_serv"`
}

func TestNamesInJSON(t *testing.T) {
	in := document{
		Node: name.MustNode("a@h"), Address: name.MustAddress("h:1"), Service: name.MustService("s/t"),
		Ref:   name.Ref{Node: name.MustNode("b@h"), Incarnation: 2, ID: 3},
		Nodes: map[name.Node]string{name.MustNode("c@h"): "x"},
	}
	text, err := json.Marshal(in)
	want := `{"node":"a@h","address":"h:1","service":"s/t","ref":"b@h/2/3","nodes":{"c@h":"x"},"no_ref":"","no_node":"","no_addr":"","no_serv":""}`
	if err != nil || string(text) != want {
		t.Errorf("%s, %v; want %s", text, err, want)
	}
	var out document
	if err := json.Unmarshal(text, &out); err != nil || out.Ref != in.Ref || out.Nodes[name.MustNode("c@h")] != "x" || !out.NoRef.IsZero() {
		t.Errorf("came back as %+v, %v", out, err)
	}
	for _, bad := range []string{`{"node":"a"}`, `{"address":"h"}`, `{"service":"a b"}`, `{"ref":"a@h"}`} {
		if err := json.Unmarshal([]byte(bad), &out); !errors.Is(err, name.ErrInvalid) {
			t.Errorf("%s: error %v", bad, err)
		}
	}
}

func TestCompare(t *testing.T) {
	ref := func(node string, incarnation, id uint64) name.Ref {
		return name.Ref{Node: name.MustNode(node), Incarnation: incarnation, ID: id}
	}
	want := []name.Ref{ref("a@h", 9, 9), ref("b@h", 2, 10), ref("b@h", 10, 2), ref("b@h", 10, 3)}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, name.Ref.Compare)
	if !slices.Equal(got, want) {
		t.Errorf("sorted %v, want %v", got, want)
	}
	if name.MustNode("a@h").Compare(name.MustNode("a@i")) >= 0 ||
		name.MustAddress("a:2").Compare(name.MustAddress("a:1")) <= 0 ||
		name.MustService("a").Compare(name.MustService("a")) != 0 {
		t.Error("names do not compare by their text")
	}
}
