package core

import (
	"context"
	"errors"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/core/machine/handshake"
	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// explain gives an error the kind that the command line turns into an exit status.
func explain(err error) error {
	if err == nil {
		return nil
	}
	var known *admin.Error
	if errors.As(err, &known) {
		return err
	}
	return &admin.Error{Kind: kindOf(err), Text: err.Error()}
}

func kindOf(err error) admin.Kind {
	switch {
	case isAny(err, trust.ErrUntrusted, trust.ErrKeyMismatch, handshake.ErrCookie, handshake.ErrUnavailable, registry.ErrNotAllowed):
		return admin.KindRefused
	case errors.Is(err, transport.ErrUnreachable):
		return admin.KindFailed
	case isAny(err, context.DeadlineExceeded, handshake.ErrTimeout, ErrTimeout):
		return admin.KindTimeout
	case isAny(err, ErrNoProcess, registry.ErrNotFound, discovery.ErrNotFound):
		return admin.KindNotFound
	case isAny(err, name.ErrInvalid, registry.ErrTooLarge):
		return admin.KindUsage
	}
	return admin.KindFailed
}

func isAny(err error, kinds ...error) bool {
	for _, kind := range kinds {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}
