package main

import (
	"strings"
	"testing"
)

func TestPromisesAreChecked(t *testing.T) {
	all := promise{most: 10, least: 5, ofRaw: 0.8, mostOfRaw: 1.2, other: 2}
	good := row{what: "calls", node: 7, ofRaw: 1, ofOther: 2.5, want: all}
	if err := check([]row{good, {what: "nothing promised"}}); err != nil {
		t.Error(err)
	}
	for _, test := range []struct {
		spoil func(*row)
		says  string
	}{
		{func(r *row) { r.node = 10.5 }, "calls: 10.5 , promised: at most 10"},
		{func(r *row) { r.node = 4 }, "calls: 4 , promised: at least 5"},
		{func(r *row) { r.ofRaw = 0.79 }, "calls: 0.79 of raw quic-go, promised: at least 0.80"},
		{func(r *row) { r.ofRaw = 1.21 }, "calls: 1.21 of raw quic-go, promised: at most 1.20"},
		{func(r *row) { r.ofOther = 1.5 }, "calls: 1.50 of gRPC, promised: at least 2.00"},
	} {
		bad := good
		test.spoil(&bad)
		if err := check([]row{good, bad}); err == nil || err.Error() != test.says {
			t.Errorf("%v, want %q", err, test.says)
		}
	}
	if got := all.String(); !strings.Contains(got, "0.80 of raw, at most 1.20 of raw, 2 of gRPC") {
		t.Error(got)
	}
}
