package core

import (
	"context"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// ClaimGlobal claims a global name as Register does before it registers.
func ClaimGlobal(ctx context.Context, n *Node, global string, ref name.Ref) error {
	l, err := n.current()
	if err != nil {
		return err
	}
	_, err = l.claim(ctx, global, ref)
	return err
}
