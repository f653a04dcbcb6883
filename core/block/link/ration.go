package link

import (
	"context"
	"time"

	"github.com/barrelp2p/barrel/interfaces/transport"
)

// What a peer may send before it is known: much more than a handshake, because one that is
// done with it may begin at once.
const (
	maxUnproved = 4 << 20               // bytes
	rationStep  = 20 * time.Millisecond // between two looks at how much it is
)

// ration closes a connection on which too much comes before the peer is known, of which
// nothing but the handshake is read: it would have to be kept. It looks until ctx ends.
func ration(ctx context.Context, t transport.Conn) {
	ticker := time.NewTicker(rationStep)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-t.Context().Done():
			return
		case <-ctx.Done():
			return
		}
		if t.Info().BytesReceived > maxUnproved {
			_ = t.Close(transport.CloseBusy, "too much was sent before the handshake was done")
			return
		}
	}
}
