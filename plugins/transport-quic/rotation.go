package transportquic

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/safefile"
)

// replace renews a pair after keeping the old one, and returns where it is kept, ""
// if there was none.
func (c *certStore) replace(now time.Time) (backup string, err error) {
	files := pairFiles{}
	if files.cert, err = readIfThere(c.certFile); err != nil {
		return "", err
	}
	if files.key, err = readIfThere(c.keyFile); err != nil {
		return "", err
	}
	if files.cert != nil || files.key != nil {
		if backup, err = c.keep(files, now); err != nil {
			return "", err
		}
	}
	return backup, c.renew(now)
}

func readIfThere(path string) ([]byte, error) {
	data, err := safefile.Read(path, maxPEM)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// keep writes a pair below backups, in a folder that did not exist before.
func (c *certStore) keep(files pairFiles, now time.Time) (string, error) {
	parent := filepath.Join(c.dir, "backups")
	if err := ensureDir(parent, c.log); err != nil {
		return "", err
	}
	dir, err := freshDir(filepath.Join(parent, now.UTC().Format("20060102T150405.000Z")))
	if err != nil {
		return "", err
	}
	if files.key != nil {
		err = safefile.Write(filepath.Join(dir, "node.key"), files.key, 0o600)
	}
	if files.cert != nil && err == nil {
		err = safefile.Write(filepath.Join(dir, "node.crt"), files.cert, 0o644)
	}
	if err != nil {
		return "", err
	}
	return dir, safefile.SyncDir(parent)
}

func freshDir(path string) (string, error) {
	dir := path
	for n := 2; ; n++ {
		err := os.Mkdir(dir, 0o700)
		if !errors.Is(err, fs.ErrExist) {
			return dir, err
		}
		dir = path + "-" + strconv.Itoa(n)
	}
}

func ensureDir(dir string, log *slog.Logger) error {
	loose, err := safefile.EnsureDir(dir, 0o700)
	if err != nil {
		return err
	}
	if loose != nil {
		log.Warn("folder with secrets is open to others", "problem", loose.String())
	}
	return nil
}

// rotate is replace on demand.
func (c *certStore) rotate(now time.Time) (string, error) {
	if !c.own {
		return "", fmt.Errorf("certificate %s: is not this node's to replace: write new files there, they are picked up within the hour: %w",
			c.certFile, plugin.ErrUnsupported)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.replace(now)
}

// checkEvery is how often a running node looks whether its certificate needs something.
const checkEvery = time.Hour

// watch keeps the certificate fresh until ctx ends.
func (c *certStore) watch(ctx context.Context) {
	ticker := time.NewTicker(checkEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			c.refresh(now)
		}
	}
}

// refresh renews a pair of our own that is due and takes over one that an operator
// has replaced. What is in use stays in use if that does not work.
func (c *certStore) refresh(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var err error
	switch inUse := c.current.Load(); {
	case !c.own:
		err = c.adopt(inUse)
	case due(inUse.Leaf, now):
		_, err = c.replace(now)
	}
	if err == nil {
		c.trouble.Store(nil)
		return
	}
	text := err.Error()
	c.trouble.Store(&text)
	c.log.Warn("certificate not renewed; the old one stays in use", "error", err)
}

func (c *certStore) adopt(inUse *tls.Certificate) error {
	pair, err := c.read()
	if err != nil || bytes.Equal(pair.Leaf.Raw, inUse.Leaf.Raw) {
		return err
	}
	c.current.Store(pair)
	c.log.Info("took over a new certificate", "file", c.certFile, "until", pair.Leaf.NotAfter)
	return nil
}
