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
	"sync"
	"sync/atomic"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/safefile"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// maxPEM bounds what is read of a certificate or key file, in bytes.
const maxPEM = 64 << 10

// certStore is the certificate of this node, on disk and in use.
//
// A pair in the node's own folder is replaced in an order that leaves no state in
// which the two files do not belong together: certificate removed, key written,
// certificate written. A crash in between leaves a missing certificate, which the
// next start makes anew, and the old pair in backups.
type certStore struct {
	node     name.Node
	dir      string // the quic folder
	certFile string
	keyFile  string
	own      bool // the files are ours to write
	days     int
	log      *slog.Logger

	mu      sync.Mutex // one change of the files at a time
	current atomic.Pointer[tls.Certificate]
	trouble atomic.Pointer[string] // why the last renewal did not work
}

func newCertStore(env transport.Env, s *Settings) *certStore {
	dir := filepath.Join(env.DataDir, "quic")
	c := &certStore{node: env.Node, dir: dir, days: s.CertDays, log: env.Log, certFile: s.CertFile, keyFile: s.KeyFile}
	if s.CertFile == "" && s.KeyFile == "" {
		c.own = true
		c.certFile, c.keyFile = filepath.Join(dir, "node.crt"), filepath.Join(dir, "node.key")
	}
	return c
}

// load takes the pair on disk into use; one of our own is made if it is missing and
// renewed if it is due.
func (c *certStore) load(now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	pair, _, err := c.read()
	if c.own && errors.Is(err, fs.ErrNotExist) {
		return c.renew(now)
	}
	if err != nil {
		return err
	}
	c.current.Store(pair)
	if c.own && due(pair.Leaf, now) {
		_, err = c.replace(now)
	}
	return err
}

// pairFiles is what the files hold.
type pairFiles struct{ cert, key []byte }

func (c *certStore) read() (*tls.Certificate, pairFiles, error) {
	var files pairFiles
	var err error
	if files.cert, err = safefile.Read(c.certFile, maxPEM); err != nil {
		return nil, files, c.unreadable("certificate", err)
	}
	if files.key, err = safefile.Read(c.keyFile, maxPEM); err != nil {
		return nil, files, c.unreadable("private key", err)
	}
	pair, err := parsePair(files.cert, files.key)
	if err != nil {
		return nil, files, fmt.Errorf("certificate %s with key %s: %w: %s", c.certFile, c.keyFile, err, c.remedy())
	}
	return pair, files, nil
}

func (c *certStore) unreadable(what string, err error) error {
	return fmt.Errorf("%s: %w: %s", what, err, c.remedy())
}

func (c *certStore) remedy() string {
	if c.own {
		return "restore both files from a folder in " + filepath.Join(c.dir, "backups") + ", or remove both to get a new pair"
	}
	return "correct transport.quic.cert_file and key_file, or remove both settings to get a self-made pair"
}

// renew makes a pair and takes it into use.
func (c *certStore) renew(now time.Time) error {
	cert, key, err := makePair(c.node, c.days, now)
	if err != nil {
		return err
	}
	pair, err := parsePair(cert, key)
	if err != nil {
		return err
	}
	if err := c.write(pairFiles{cert, key}); err != nil {
		return err
	}
	c.current.Store(pair)
	c.log.Info("made a certificate", "file", c.certFile, "until", pair.Leaf.NotAfter)
	return nil
}

func (c *certStore) write(files pairFiles) error {
	if err := ensureDir(c.dir, c.log); err != nil {
		return err
	}
	if err := safefile.Remove(c.certFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := safefile.Write(c.keyFile, files.key, 0o600); err != nil {
		return err
	}
	return safefile.Write(c.certFile, files.cert, 0o644)
}

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
	pair, _, err := c.read()
	if err != nil || bytes.Equal(pair.Leaf.Raw, inUse.Leaf.Raw) {
		return err
	}
	c.current.Store(pair)
	c.log.Info("took over a new certificate", "file", c.certFile, "until", pair.Leaf.NotAfter)
	return nil
}

// health complains about a certificate that ends soon or that could not be renewed.
// Nothing breaks by an expired one: peers trust the node's key, not its certificate.
func (c *certStore) health(now time.Time) plugin.Health {
	pair := c.current.Load()
	if pair == nil {
		return plugin.Health{State: plugin.New}
	}
	until := pair.Leaf.NotAfter.UTC().Format(time.RFC3339)
	next := "run barrel keys rotate cert"
	if !c.own {
		next = "replace " + c.certFile
	}
	if text := c.trouble.Load(); text != nil {
		return plugin.Health{State: plugin.Degraded, Detail: *text}
	}
	if now.After(pair.Leaf.NotAfter) {
		return plugin.Health{State: plugin.Degraded, Detail: "certificate ended at " + until + ": " + next}
	}
	if due(pair.Leaf, now) {
		return plugin.Health{State: plugin.Degraded, Detail: "certificate ends at " + until + ": " + next}
	}
	return plugin.Health{State: plugin.Healthy}
}
