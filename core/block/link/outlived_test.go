package link_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/core/block/link"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// A node has started again, and nothing is wrong with the link to the life before, as far as
// anybody sees.
func TestAnOutlivedLinkEndsAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		a.connect(t, b)
		a.Outlived(b.name, 1) // is that very life
		a.Outlived(w.node("c@h").name, 7)
		synctest.Wait()
		want(t, a, "up b@h 1")

		again := w.node("b@h", func(c *link.Config) { c.Incarnation = 2 })
		begin := time.Now()
		a.Outlived(b.name, 2)
		must(t, a.Connect(t.Context(), again.name, nil)) // is not given the old one
		must(t, a.Send(again.name, link.Membership, []byte("hello")))
		a.Outlived(b.name, 2)
		synctest.Wait()
		if took := time.Since(begin); took > 100*time.Millisecond {
			t.Errorf("linked after %v", took)
		}
		want(t, a, "up b@h 1", "down b@h restarted", "up b@h 2")
		want(t, b, "up a@h 1", "down a@h duplicate")
		want(t, again, "up a@h 1", "frame a@h hello")
	})
}

// What only this end can find out is not believed when the peer says it: who is asked back at
// once might do that for ever.
func TestAPeerCannotSayThatItStartedAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.node("b@h")
		_, dial := w.stranger("x@h", "")
		r := dial(b).handshake(b.name, 1)
		r.write(r.control, frame(link.Version, 0, 5+5, string(rune(ownGoodbye))+"\x00\x00\x00\x0aagain"))
		_ = r.cause()
		synctest.Wait()
		again := dial(b).handshake(b.name, 2)
		must(t, again.conn.Close(transport.CloseRestarted, "again"))
		synctest.Wait()
		once := []string{"up x@h 1", fmt.Sprintf("down x@h %s", transport.CloseProtocol)}
		want(t, b, append(once, once...)...)
	})
}
