package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/core/config"
	"github.com/barrelp2p/barrel/core/identity"
)

func (a *app) keysCommand() *cobra.Command {
	show := a.talks(a.leaf("show", "the fingerprint and public key of the node", func(ctx context.Context, _ []string) error {
		keys, err := a.keys(ctx)
		if err != nil {
			return err
		}
		return a.show(keys, [][]string{
			{"node", orDash(keys.Node.String())},
			{"fingerprint", keys.Fingerprint},
			{"public key", keys.PublicKey},
		})
	}))
	rotate := a.talks(a.leaf("rotate WHAT", "replace the identity or the cert, with a backup", func(ctx context.Context, args []string) error {
		if args[0] != "identity" && args[0] != "cert" {
			return usage("keys rotate %q: rotate identity, or cert", args[0])
		}
		done, err := a.rotate(ctx, args[0])
		if err != nil {
			return err
		}
		return a.show(done, rotationRows(done))
	}))
	rotate.ValidArgs = []string{"identity", "cert"}
	return noun("keys", "the keys of the node", show, rotate)
}

// keys asks the node, or reads its files if it does not run.
func (a *app) keys(ctx context.Context) (keys admin.Keys, err error) {
	err = a.liveOrOffline(ctx, func(ctx context.Context, c *admin.Client) error {
		keys, err = c.Keys(ctx)
		return err
	}, func(dataDir string) error {
		signer, err := identity.Load(dataDir)
		if err != nil {
			return err
		}
		keys = admin.Keys{Fingerprint: signer.Fingerprint(), PublicKey: signer.Public().String()}
		return nil
	})
	return keys, err
}

func (a *app) rotate(ctx context.Context, what string) (done admin.Rotation, err error) {
	err = a.liveOrOffline(ctx, func(ctx context.Context, c *admin.Client) error {
		done, err = c.Rotate(ctx, what)
		return err
	}, func(dataDir string) error {
		if what == "cert" {
			done, err = a.rotateCertificate(ctx, dataDir)
			return err
		}
		done, err = rotateIdentity(dataDir)
		return err
	})
	return done, err
}

// rotateCertificate lets the transport of the configuration replace its certificate.
func (a *app) rotateCertificate(ctx context.Context, dataDir string) (admin.Rotation, error) {
	cfg, err := a.deps.load(config.Sources{File: a.talk.file, Environ: a.environ, DataDir: dataDir})
	if err != nil {
		return admin.Rotation{}, err
	}
	return a.deps.rotate(ctx, cfg)
}

// rotateIdentity refuses a folder without keys, before it makes anything there: the
// path is a wrong one more often than not.
func rotateIdentity(dataDir string) (admin.Rotation, error) {
	if _, err := identity.Load(dataDir); errors.Is(err, identity.ErrNoIdentity) {
		return admin.Rotation{}, fmt.Errorf("%w; or name the data folder of the node with --data-dir", err)
	}
	lock, err := identity.Lock(dataDir)
	if err != nil {
		return admin.Rotation{}, err
	}
	defer func() { _ = lock.Release() }()
	id, err := identity.Open(dataDir)
	if err != nil {
		return admin.Rotation{}, err
	}
	r, err := id.Rotate()
	return admin.Rotation{What: "identity", Backup: r.Backup, Fingerprint: r.New}, err
}

func rotationRows(r admin.Rotation) [][]string {
	rows := [][]string{{"rotated", r.What}, {"backup", orDash(r.Backup)}}
	if r.Fingerprint != "" {
		rows = append(rows, []string{"fingerprint", r.Fingerprint})
	}
	if r.What == "identity" {
		rows = append(rows, []string{"next", "peers that pinned the old key refuse the new one: pin it there with barrel trust add"})
	}
	if r.RestartRequired {
		rows = append(rows, []string{"next", "restart the node"})
	}
	return rows
}

// liveOrOffline asks the running node; if there is none and the flags name a data
// directory, it works on the files there.
func (a *app) liveOrOffline(ctx context.Context, live func(context.Context, *admin.Client) error, offline func(dataDir string) error) error {
	err := a.ask(ctx, 30*time.Second, live)
	if admin.KindOf(err) != admin.KindNoNode {
		return err
	}
	dataDir, known, loadErr := a.dataDir()
	if loadErr != nil {
		return loadErr
	}
	if !known {
		return fmt.Errorf("%w; or name its files with --data-dir", err)
	}
	return offline(dataDir)
}

// dataDir is the data directory that the flags name, if they name one.
func (a *app) dataDir() (dir string, known bool, err error) {
	switch {
	case a.talk.dataDir != "":
		return a.talk.dataDir, true, nil
	case a.talk.file != "":
		cfg, err := a.loadConfig()
		if err != nil {
			return "", false, err
		}
		return cfg.Node.DataDir, true, nil
	}
	return "", false, nil
}
