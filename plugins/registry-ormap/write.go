package registryormap

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/barrelp2p/barrel/core/machine/ownerlog"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// Put registers an entry or replaces its metadata. The same metadata again is no news.
func (o *ormap) Put(ctx context.Context, entry registry.Entry) error {
	if err := o.checkEntry(entry); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.writable(ctx, entry.Service); err != nil {
		return err
	}
	key := keyOf(entry.Service, entry.Ref.ID)
	if o.env.Launch == 0 || entry.Since.IsZero() {
		entry.Since = time.Now()
	}
	old, had := o.machine.Store().Get(key)
	if had {
		entry.Since, _, _ = parseValue(old, o.metas) // this node wrote it
	}
	op := ownerlog.Op{Key: key, Val: valueOf(&entry)}
	if had && op.Val == old {
		return nil
	}
	return o.write(entry.Service, op)
}

// Remove takes an entry back.
func (o *ormap) Remove(ctx context.Context, service name.Service, ref name.Ref, reason string) error {
	if err := o.checkOwner(service, ref); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.writable(ctx, service); err != nil {
		return err
	}
	key := keyOf(service, ref.ID)
	if _, had := o.machine.Store().Get(key); !had {
		return fmt.Errorf("service %s: %s: %w", service, ref, registry.ErrNotFound)
	}
	return o.write(service, ownerlog.Op{Key: key, Val: reason[:min(len(reason), maxReason)], Remove: true})
}

// maxReason bounds the reason of a removal, in bytes.
const maxReason = 1024

// write applies an operation. The caller holds mu.
func (o *ormap) write(service name.Service, op ownerlog.Op) error {
	err := o.machine.Write(o.now(), op, &o.out)
	o.perform()
	if errors.Is(err, ownerlog.ErrFull) {
		return fmt.Errorf("service %s: %w: %w: raise registry.ormap.max_entries and max_bytes on all nodes", service, registry.ErrFull, err)
	}
	return err
}

// writable says why nothing can be written now. The caller holds mu.
func (o *ormap) writable(ctx context.Context, service name.Service) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("service %s: not changed: %w", service, err)
	}
	if !o.running {
		return fmt.Errorf("service %s: registry does not run: %w", service, plugin.ErrGone)
	}
	return nil
}

func (o *ormap) checkEntry(entry registry.Entry) error {
	if err := o.checkOwner(entry.Service, entry.Ref); err != nil {
		return err
	}
	if err := o.env.Allowed(entry.Service, entry.Ref.Node); err != nil {
		return err
	}
	size := 0
	for key, value := range entry.Meta {
		size += len(key) + len(value)
	}
	if size > o.settings.MaxMeta || len(entry.Meta) > registry.MaxPairs {
		return fmt.Errorf("service %s: metadata of %d bytes in %d pairs, at most %d in %d (registry.ormap.max_meta): %w",
			entry.Service, size, len(entry.Meta), o.settings.MaxMeta, registry.MaxPairs, registry.ErrTooLarge)
	}
	return nil
}

// checkOwner: only this life of this node writes here.
func (o *ormap) checkOwner(service name.Service, ref name.Ref) error {
	if service.IsZero() {
		return fmt.Errorf("service without a name: %w", name.ErrInvalid)
	}
	if ref.Node != o.env.Node || ref.Incarnation != o.env.Incarnation {
		return fmt.Errorf("service %s: %s is not of %s at incarnation %d: %w", service, ref, o.env.Node, o.env.Incarnation, registry.ErrNotOwner)
	}
	return nil
}
