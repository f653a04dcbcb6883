package external

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/interfaces/trust"
	"github.com/barrelp2p/barrel/interfaces/wire"
)

// Contracts lists the contracts of a kind that this program speaks, the one it prefers
// first; none if the kind cannot be a process.
func Contracts(kind plugin.Kind) []string {
	switch kind {
	case plugin.Discovery:
		return []string{discovery.Contract}
	case plugin.Trust:
		return []string{trust.Contract}
	case plugin.Transport:
		return []string{transport.Contract}
	case plugin.Membership:
		return []string{membership.Contract}
	case plugin.Registry:
		return []string{registry.Contract}
	}
	return nil
}

// Check starts a process for as long as it takes to ask who it is and what it says of
// settings, and ends it. Problems with the settings are no error.
func Check(ctx context.Context, spec Spec, opts Options, section plugin.Section, log *slog.Logger) (said wire.Description, problems []plugin.Problem, err error) {
	opts = opts.withDefaults()
	if err := spec.validate(); err != nil {
		return said, nil, err
	}
	sockets, err := privateDir(opts.SocketDir, "", spec.ID())
	if err != nil {
		return said, nil, fmt.Errorf("%s: directory of sockets: %w", spec.label(), err)
	}
	defer os.RemoveAll(sockets)
	p, err := launch(ctx, spec, opts, sockets, Contracts(spec.Kind), log)
	if err != nil {
		return said, nil, fmt.Errorf("%s: %w", spec.label(), err)
	}
	defer func() {
		if stopErr := p.stop(ctx); stopErr != nil && (opts.Strict || errors.Is(stopErr, errLeft)) {
			err = errors.Join(err, fmt.Errorf("%s: %w", spec.label(), stopErr))
		}
	}()
	problems, err = wire.NewPlugin(p.conn).Validate(ctx, section)
	if err != nil {
		err = fmt.Errorf("%s: %w", spec.label(), p.lost(err))
	}
	return p.said, problems, err
}
