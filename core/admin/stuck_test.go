package admin

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"testing"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// Somebody on the socket who does not type, does not send what was announced or does not
// read keeps the node from nothing: it stops all the same.
func TestTheServerStopsWhateverSomebodyLeavesUndone(t *testing.T) {
	const post = "POST %s HTTP/1.1\r\nHost: barrel\r\n"
	chunked := post + "Transfer-Encoding: chunked\r\n\r\n"
	begun := func(t *testing.T, conn net.Conn) {
		if response, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%v, %v", response, err)
		}
	}
	for what, c := range map[string]struct {
		request string
		stuck   func(*testing.T, net.Conn)
	}{
		"half a body":               {fmt.Sprintf(post+"Content-Length: 100\r\n\r\n{", "/v1/join"), nil},
		"an answer that is unread":  {fmt.Sprintf(post+"Content-Length: 17\r\n\r\n"+`{"target":"huge"}`, "/v1/call"), nil},
		"a keyboard":                {fmt.Sprintf(chunked, "/v1/stream?tag=ended&node=b@h"), begun},
		"a stream that is not read": {fmt.Sprintf(chunked, "/v1/stream?tag=huge&node=b@h"), begun},
	} {
		t.Run(what, func(t *testing.T) {
			node, server, client := startServer(t, quiet())
			node.services[name.MustService("huge")] = &fakeService{handle: func(context.Context, Delivery) ([]byte, error) {
				return make([]byte, MaxPayload), nil
			}}
			conn := dial(t, client.Socket())
			_, _ = conn.Write([]byte(c.request))
			eventually(t, "the request has come", func() bool { return server.run.gate.busy() })
			if c.stuck != nil {
				c.stuck(t, conn)
			}
			stop(t, server)
		})
	}
}

func (g *gate) busy() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inside > 0
}
