package main

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"time"

	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/safefile"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// Settings is the section trust.ca.
type Settings struct {
	Authority    string        `setting:"authority" help:"public key of the authority in hex"`
	Certificates string        `setting:"certificates" help:"folder of the signed keys, one file NODE.cert each"`
	Revoked      string        `setting:"revoked" help:"file with the signed list of revoked ones; empty: there is none"`
	MaxAge       time.Duration `setting:"max_age" help:"a list that is older counts as missing; 0s: it never gets too old"`
}

// Validate looks at the values only.
func (s *Settings) Validate() []plugin.Problem {
	var problems []plugin.Problem
	add := func(path, text, hint string) {
		problems = append(problems, plugin.Problem{Path: path, Text: text, Hint: hint})
	}
	if raw, err := hex.DecodeString(s.Authority); err != nil || len(raw) != ed25519.PublicKeySize {
		add("authority", fmt.Sprintf("%q is no key", s.Authority), "copy the 64 hex digits that plugin-trust-ca init printed")
	}
	if s.Certificates == "" {
		add("certificates", "is empty", "name a folder, as /etc/barrel/certificates")
	}
	if s.MaxAge < 0 || s.MaxAge > 0 && s.Revoked == "" {
		add("max_age", "makes no sense without a list", "set revoked too, or leave it out")
	}
	return problems
}

// Factory makes the plugin.
func Factory() trust.Factory {
	return plugin.Define("ca", "keys that an offline authority has signed", func() *Settings { return &Settings{} },
		func(env trust.Env, s *Settings) (trust.Plugin, error) {
			raw, err := hex.DecodeString(s.Authority)
			if err != nil || len(raw) != ed25519.PublicKeySize {
				return nil, errors.New("trust.ca.authority: no key")
			}
			return &policy{env: env, settings: *s, authority: raw, now: time.Now}, nil
		})
}

type policy struct {
	env       trust.Env
	settings  Settings
	authority ed25519.PublicKey
	now       func() time.Time
	running   atomic.Bool
	trouble   atomic.Pointer[string] // why the last question could not be answered
}

var (
	_ trust.Plugin          = (*policy)(nil)
	_ plugin.HealthReporter = (*policy)(nil)
)

// Start reads the list once: a node that could trust nobody does not start.
func (p *policy) Start(context.Context) error {
	if _, err := p.revoked(); err != nil {
		return err
	}
	p.running.Store(true)
	return nil
}

// Stop ends the deciding.
func (p *policy) Stop(context.Context) error { p.running.Store(false); return nil }

// Health says why the last question could not be answered.
func (p *policy) Health() plugin.Health {
	switch trouble := p.trouble.Load(); {
	case !p.running.Load():
		return plugin.Health{State: plugin.Stopped}
	case trouble != nil:
		return plugin.Health{State: plugin.Degraded, Detail: *trouble}
	}
	return plugin.Health{State: plugin.Healthy}
}

// Decide accepts a key that the authority has signed for that name.
func (p *policy) Decide(ctx context.Context, claim trust.Claim) error {
	switch {
	case !p.running.Load():
		return errors.New("the plugin is not running")
	case ctx.Err() != nil:
		return ctx.Err()
	case claim.Node.IsZero() || claim.Key.IsZero():
		return fmt.Errorf("%w: no name or no key", trust.ErrUntrusted)
	}
	revoked, err := p.revoked()
	if err != nil {
		return p.undecided(ctx, err)
	}
	path, err := safefile.Join(p.settings.Certificates, claim.Node.String()+".cert")
	if err != nil {
		return p.undecided(ctx, err)
	}
	text, err := safefile.Read(path, maxFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %s has no certificate for %s: ask its authority for one", trust.ErrUntrusted, p.env.Node, claim.Node)
	case err != nil:
		return p.undecided(ctx, err)
	}
	p.trouble.Store(nil)
	return p.judge(claim, text, revoked)
}

// undecided keeps the reason, which has paths in it, at home.
func (p *policy) undecided(ctx context.Context, err error) error {
	text := err.Error()
	p.trouble.Store(&text)
	p.env.Log.ErrorContext(ctx, "cannot decide", "error", err)
	return errors.New("the files of the authority cannot be read: see the log of the node")
}

func (p *policy) judge(claim trust.Claim, text []byte, revoked map[uint64]bool) error {
	c, err := readCertificate(text, p.authority)
	switch {
	case err != nil:
		return fmt.Errorf("%w: the certificate of %s: %w", trust.ErrUntrusted, claim.Node, err)
	case c.Node != claim.Node:
		return fmt.Errorf("%w: the certificate of %s is for %s", trust.ErrUntrusted, claim.Node, c.Node)
	case c.Key != claim.Key.String():
		return fmt.Errorf("%w: the certificate of %s is for another key", trust.ErrKeyMismatch, claim.Node)
	case revoked[c.Serial]:
		return fmt.Errorf("%w: the certificate of %s was revoked", trust.ErrUntrusted, claim.Node)
	case !p.now().Before(c.NotAfter):
		return fmt.Errorf("%w: the certificate of %s ended at %s: ask its authority for another", trust.ErrUntrusted, claim.Node, c.NotAfter.Format(time.RFC3339))
	}
	return nil
}

// revoked reads the list. One that is missing, forged or too old is an error.
func (p *policy) revoked() (map[uint64]bool, error) {
	if p.settings.Revoked == "" {
		return nil, nil
	}
	text, err := safefile.Read(p.settings.Revoked, maxFile)
	if err != nil {
		return nil, err
	}
	list, err := readRevocation(text, p.authority)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.settings.Revoked, err)
	}
	if age := p.now().Sub(list.Issued); p.settings.MaxAge > 0 && age > p.settings.MaxAge {
		return nil, fmt.Errorf("%s: is %s old, at most %s: copy a new one", p.settings.Revoked, age.Round(time.Second), p.settings.MaxAge)
	}
	out := make(map[uint64]bool, len(list.Serials))
	for _, serial := range list.Serials {
		out[serial] = true
	}
	return out, nil
}
