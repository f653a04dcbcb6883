package process

import (
	"bytes"
	"encoding/binary"
	"math"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

func TestMalformedStreamsAreRefusedAndCounted(t *testing.T) {
	send := &frame{kind: frameSend, sender: 1, target: Target{Service: name.MustService("s")}}
	noName := bytes.Replace(send.encode(), []byte("\x02\x01s"), []byte("\x02\x01!"), 1)
	for what, tt := range map[string]struct {
		shard byte
		data  []byte
	}{
		"empty frame":        {0, []byte{0, 0, 0, 0}},
		"huge frame":         {0, []byte{0xff, 0xff, 0xff, 0xff}},
		"unknown type":       {0, []byte{0, 0, 0, 1, 99}},
		"cut short":          {0, []byte{0, 0, 0, 2, frameSend, 0}},
		"target kind":        {0, []byte{0, 0, 0, 10, frameSend, 0, 0, 0, 0, 0, 0, 0, 1, 7}},
		"service name":       {0, noName},
		"send among answers": {replyShard, send.encode()},
		"answer among sends": {0, (&frame{kind: frameReply, call: 1}).encode()},
		"cancel among sends": {0, (&frame{kind: frameCancel, call: 1}).encode()},
		"payload too large":  {0, (&frame{kind: frameSend, sender: 1, target: send.target, payload: make([]byte, MaxPayload+1)}).encode()},
	} {
		t.Run(what, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				b := w.node("b@h")
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

func TestAFrameThatDoesNotComeIsNotAllocated(t *testing.T) {
	head := binary.BigEndian.AppendUint32(nil, maxFrame)
	short := append(head, make([]byte, 1000)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		if _, err := readFrame(bytes.NewReader(short)); err == nil {
			t.Fatal("read")
		}
	}
	runtime.ReadMemStats(&after)
	if n := (after.TotalAlloc - before.TotalAlloc) / 100; n > 4*firstChunk {
		t.Errorf("%d bytes are allocated for a frame of which 1000 came", n)
	}
}

func TestAFloodOfCallsIsBounded(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		stuck := newGate()
		w.serve(b, "stuck", Spec{Handle: stuck.handle, Mailbox: 2 * maxServing})
		w.serve(b, "echo", Spec{Handle: echo})
		x := w.peer("x@h", b)
		for id := range uint64(maxServing + 1000) {
			x.write(0, &frame{kind: frameCall, call: id + 1, left: math.MaxUint64, sender: 1, target: to(b, "stuck")})
		}
		synctest.Wait()
		b.mu.Lock()
		if n := len(b.guests[x.node].serving); n != maxServing {
			t.Errorf("%d calls are served, want %d", n, maxServing)
		}
		b.mu.Unlock()
		for id := range uint64(1000) {
			x.write(replyShard, &frame{kind: frameCancel, call: 1_000_000 + id})
		}
		synctest.Wait()
		b.mu.Lock()
		if n := len(b.guests[x.node].cancelled); n > maxCancels {
			t.Errorf("%d cancels are remembered", n)
		}
		b.mu.Unlock()
		out, err := a.Call(t.Context(), to(b, "echo"), []byte("honest"))
		if err != nil || string(out) != "honest" {
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
			result <- string(out)
		}()
		synctest.Wait()
		x := w.peer("x@h", a)
		for id := range uint64(100) {
			x.write(replyShard, &frame{kind: frameReply, call: id, payload: []byte("false")})
		}
		synctest.Wait()
		close(g.open)
		if got := <-result; got != "true" {
			t.Errorf("answered %q", got)
		}
	})
}
