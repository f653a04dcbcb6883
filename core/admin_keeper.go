package core

import (
	"context"
	"errors"
	"fmt"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/core/catalog"
	"github.com/barrelp2p/barrel/core/config"
	"github.com/barrelp2p/barrel/core/identity"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// Keys is who this node is.
func (c control) Keys() admin.Keys {
	key := c.self.keys.Public()
	return admin.Keys{Node: c.name, Fingerprint: key.Fingerprint(), PublicKey: key.String()}
}

// Rotate replaces the identity or the certificate.
func (c control) Rotate(ctx context.Context, what string) (admin.Rotation, error) {
	switch what {
	case "identity":
		r, err := c.self.keys.Rotate()
		return admin.Rotation{What: what, Backup: r.Backup, Fingerprint: r.New}, explain(err)
	case "cert":
		backup, err := c.rotateCertificate(ctx)
		return admin.Rotation{What: what, Backup: backup}, explain(err)
	}
	return admin.Rotation{}, &admin.Error{Kind: admin.KindUsage, Text: fmt.Sprintf("rotate %q: no such thing: identity or cert", what)}
}

func (l *life) rotateCertificate(ctx context.Context) (backup string, err error) {
	rotator, ok := l.transport.(transport.CertificateRotator)
	if !ok {
		return "", fmt.Errorf("%s: it has no certificate: %w", l.parts.transport, plugin.ErrUnsupported)
	}
	return rotator.RotateCertificate(ctx)
}

// RotateCertificate replaces the certificate of a node that does not run, and returns
// the folder that holds the previous one, "" if there was none. A running node is
// refused with identity.ErrInUse: ask it by its control socket.
func RotateCertificate(ctx context.Context, cfg *config.Config, cat catalog.Catalog, opts ...Option) (backup string, err error) {
	n, err := New(cfg, cat, opts...)
	if err != nil {
		return "", err
	}
	if _, err := identity.Load(n.dataDir); err != nil {
		return "", fmt.Errorf("%w: a certificate is replaced where a node has run: check --data-dir", err)
	}
	me := &self{}
	defer func() { err = errors.Join(err, me.close()) }()
	if err := me.reopen(n.dataDir, cfg.Auth); err != nil {
		return "", err
	}
	l, err := n.makeParts(me)
	if err != nil {
		return "", err
	}
	return l.rotateCertificate(ctx)
}

// Pins lists the pins; a broken one is left out and warned about.
func (c control) Pins() ([]admin.Pin, error) {
	pins, skipped, err := c.self.pins.List()
	for _, problem := range skipped {
		c.log.Warn("pin skipped", "error", problem)
	}
	out := make([]admin.Pin, len(pins))
	for i, p := range pins {
		out[i] = PinDocument(p)
	}
	return out, explain(err)
}

// PinDocument is a pin as the command line shows it.
func PinDocument(p trust.Pin) admin.Pin {
	return admin.Pin{
		Node: p.Node, Fingerprint: p.Key.Fingerprint(), PublicKey: p.Key.String(),
		Pinned: p.Pinned.UTC(), Source: p.Source,
	}
}

// AddPin pins a key on behalf of the operator. A link with another key under that name
// is closed: it would not be made now.
func (c control) AddPin(node name.Node, key [32]byte) error {
	if err := c.self.pins.Put(node, key, "operator"); err != nil {
		return explain(err)
	}
	c.publish("trust", "pinned", node, "by the operator", nil)
	if p, linked := c.links.Peer(node); linked && p.Key != key {
		c.links.Disconnect(node, transport.CloseDropped, "another key was pinned for the name")
	}
	return nil
}

// RemovePin removes a pin on behalf of the operator, and closes the link that rested on
// it: the next handshake is decided anew.
func (c control) RemovePin(node name.Node) error {
	err := c.self.pins.Remove(node)
	if errors.Is(err, identity.ErrNoPin) {
		return &admin.Error{Kind: admin.KindNotFound, Text: err.Error()}
	}
	if err == nil {
		c.publish("trust", "removed", node, "by the operator", nil)
		c.links.Disconnect(node, transport.CloseDropped, "its pin was removed")
	}
	return explain(err)
}

// TrustMode is the name of the trust plugin.
func (c control) TrustMode() string { return c.trust.Mode() }

// SetTrustMode exchanges the trust plugin; the next handshake is decided by it.
func (c control) SetTrustMode(ctx context.Context, mode string) error {
	p, err := c.newTrust(mode, c.configNow())
	if err != nil {
		return &admin.Error{Kind: admin.KindUsage, Text: err.Error()}
	}
	return c.exchangeTrust(ctx, mode, p)
}

// newTrust makes another trust plugin from a configuration.
func (l *life) newTrust(mode string, cfg *config.Config) (trust.Plugin, error) {
	cat, err := l.catalogOf(cfg)
	if err != nil {
		return nil, err
	}
	part, err := newFrom(l, plugin.Trust, mode, cat.Trust, l.trustEnv, cfg)
	if err != nil {
		return nil, err
	}
	p, _ := part.(trust.Plugin)
	l.listen(id(plugin.Trust, mode), plugin.Trust, p)
	return p, nil
}

func (c control) exchangeTrust(ctx context.Context, mode string, p trust.Plugin) error {
	if err := c.trust.exchange(ctx, mode, p); err != nil {
		return explain(err)
	}
	c.publish("trust", "mode", c.name, mode, nil)
	return nil
}
