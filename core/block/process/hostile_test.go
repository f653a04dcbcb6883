package process

import (
	"bytes"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

func TestMalformedStreamsAreRefusedAndCounted(t *testing.T) {
	service := Target{Service: name.MustService("s")}
	open := &frame{kind: frameOpen, account: 1, target: service}
	noName := bytes.Replace(open.encode(), []byte("\x02\x01s"), []byte("\x02\x01!"), 1)
	send := &frame{kind: frameSend, account: 1, sender: 1}
	many := open.encode()
	for range firstMessages + 1 {
		many = append(many, send.encode()...)
	}
	for what, tt := range map[string]struct {
		shard byte
		data  []byte
	}{
		"empty frame":        {0, []byte{0, 0, 0}},
		"huge frame":         {0, []byte{0xff, 0xff, 0xff}},
		"unknown type":       {0, []byte{0, 0, 1, 99}},
		"cut short":          {0, []byte{0, 0, 2, frameSend, 0}},
		"too long":           {0, []byte{0, 0, 3, frameCancel, 1, 1}},
		"target kind":        {0, []byte{0, 0, 3, frameOpen, 1, 7}},
		"service name":       {0, noName},
		"account not open":   {0, send.encode()},
		"account open twice": {0, append(open.encode(), open.encode()...)},
		"beyond the credit":  {0, many},
		"codec":              {0, append(open.encode(), 0, 0, 4, frameSend, 1, 1, 99)},
		"signal":             {0, (&frame{kind: frameSignal, signal: 99, sender: 1, target: service}).encode()},
		"large of nothing":   {0, []byte{0, 0, 4, frameLarge, 1, 1, frameLarge}},
		"large too large":    {0, append(open.encode(), (&frame{kind: frameSend, large: true, token: 1, size: MaxPayload + 1, account: 1, sender: 1, codec: Raw}).encode()...)},
		"send among answers": {replyShard, send.encode()},
		"answer among sends": {0, (&frame{kind: frameReply, call: 1}).encode()},
		"cancel among sends": {0, (&frame{kind: frameCancel, call: 1}).encode()},
		"answers read":       {replyShard, (&frame{kind: frameRead, shard: replyShard}).encode()},
		"credit for answers": {replyShard, (&frame{kind: frameCredit, shard: replyShard}).encode()},
	} {
		t.Run(what, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				b := w.node("b@h")
				w.serve(b, "s", Spec{Handle: newGate().handle})
				x := w.peer("x@h", b)
				s := x.open(tt.shard)
				_, _ = s.Write(tt.data)
				if !refused(s) {
					t.Error("the stream goes on")
				}
				synctest.Wait()
				if n := b.DeadLetters()["malformed"]; n != 1 {
					t.Errorf("counted %d times", n)
				}
			})
		})
	}
}

func TestAHeaderThatDoesNotComeIsNotWaitedFor(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		x := w.peer("x@h", w.node("b@h"))
		begin := time.Now()
		if !refused(x.stream([]byte{0, 0})) || time.Since(begin) > headerTime {
			t.Errorf("waited %v", time.Since(begin))
		}
	})
}

func TestAFloodOfCallsIsBounded(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		stuck := newGate()
		w.serve(b, "stuck", Spec{Handle: stuck.handle, Mailbox: 2 * maxServing})
		w.serve(b, "echo", Spec{Handle: echo})
		x := w.peer("x@h", b)
		for id := range uint64(maxServing + 1000) {
			account := id/firstMessages + 1
			if id%firstMessages == 0 {
				x.write(0, &frame{kind: frameOpen, account: account, target: to(b, "stuck")})
			}
			x.write(0, &frame{kind: frameCall, call: id + 1, left: math.MaxUint32, sender: 1, account: account})
		}
		synctest.Wait()
		if n := len(b.guests[x.node].serving); n != maxServing {
			t.Errorf("%d calls are served, want %d", n, maxServing)
		}
		for id := range uint64(1000) {
			x.write(replyShard, &frame{kind: frameCancel, call: 1_000_000 + id})
		}
		synctest.Wait()
		if n := len(b.guests[x.node].cancelled); n > maxCancels {
			t.Errorf("%d cancels are remembered", n)
		}
		out, err := a.Call(t.Context(), to(b, "echo"), []byte("honest"))
		if err != nil || text(out) != "honest" {
			t.Errorf("an honest caller gets %q, %v", out, err)
		}
		b.PeerDown(x.node, "gone") // ends all of them
		time.Sleep(time.Second)
		if n := len(stuck.all()); n > 0 {
			t.Errorf("%d calls of a peer that is gone were handled", n)
		}
	})
}

func TestACallNumberThatIsTakenIsRefused(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.node("b@h")
		w.serve(b, "stuck", Spec{Handle: newGate().handle})
		x := w.peer("x@h", b)
		for range 2 {
			x.write(0, &frame{kind: frameCall, call: 1, sender: 1, target: to(b, "stuck")})
		}
		if !refused(x.open(0)) {
			t.Error("a second call under one number is taken")
		}
	})
}

func TestAnswersToCallsOfOthersAreIgnored(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		g := newGate()
		w.serve(b, "s", Spec{Handle: g.handle})
		result := make(chan string, 1)
		go func() {
			out, err := a.Call(t.Context(), to(b, "s"), []byte("true"))
			must(t, err)
			result <- text(out)
		}()
		synctest.Wait()
		x := w.peer("x@h", a)
		for id := range uint64(100) {
			x.write(replyShard, &frame{kind: frameReply, call: id, codec: Raw, data: []byte("false")})
		}
		synctest.Wait()
		close(g.open)
		if got := <-result; got != "true" {
			t.Errorf("answered %q", got)
		}
	})
}
