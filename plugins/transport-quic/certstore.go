package transportquic

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
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
	pair, err := c.read()
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

func (c *certStore) read() (*tls.Certificate, error) {
	cert, err := safefile.Read(c.certFile, maxPEM)
	if err != nil {
		return nil, c.unreadable("certificate", err)
	}
	key, err := safefile.Read(c.keyFile, maxPEM)
	if err != nil {
		return nil, c.unreadable("private key", err)
	}
	pair, err := parsePair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w: %s", c.certFile, c.keyFile, err, c.remedy())
	}
	return pair, nil
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

// pairFiles is what the files hold, or shall hold.
type pairFiles struct{ cert, key []byte }

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
