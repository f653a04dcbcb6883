package core

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/barrelp2p/barrel/core/block/link"
	"github.com/barrelp2p/barrel/core/config"
	"github.com/barrelp2p/barrel/core/identity"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/safefile"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// self is what a node is in one life, opened from its data directory. In a self that
// was not opened everything is empty: enough to assemble with, not to start.
type self struct {
	lock        *identity.DirLock
	keys        *identity.Identity
	pins        *identity.Pins
	cookie      []byte
	incarnation uint64
}

// openSelf takes the data directory and reads who this node is; without success it
// gives the directory back.
func (n *Node) openSelf() (*self, error) {
	s := &self{}
	if err := s.open(n.dataDir, n.cfg.Auth); err != nil {
		return nil, errors.Join(fmt.Errorf("node %s: %w", n.name, err), s.close())
	}
	if s.keys.Created() {
		n.log.Info("identity created", "node", n.name, "fingerprint", s.keys.Fingerprint())
	}
	return s, nil
}

func (s *self) open(dataDir string, auth config.Auth) (err error) {
	if s.lock, err = lockData(dataDir); err != nil {
		return err
	}
	if s.keys, err = identity.Open(dataDir); err != nil {
		return err
	}
	if s.pins, err = identity.OpenPins(dataDir); err != nil {
		return err
	}
	if s.cookie, err = readCookie(auth); err != nil {
		return err
	}
	s.incarnation, err = identity.Incarnation(dataDir)
	return err
}

// reopen is open for one who looks and begins no life: it speaks with the number of
// the last one.
func (s *self) reopen(dataDir string, auth config.Auth) (err error) {
	if s.lock, err = lockData(dataDir); err != nil {
		return err
	}
	if s.keys, err = identity.Open(dataDir); err != nil {
		return err
	}
	if s.pins, err = identity.OpenPins(dataDir); err != nil {
		return err
	}
	s.incarnation = lastLife(dataDir)
	s.cookie, err = readCookie(auth)
	return err
}

func lockData(dataDir string) (*identity.DirLock, error) {
	lock, err := identity.Lock(dataDir)
	if err != nil && !errors.Is(err, identity.ErrInUse) {
		return nil, fmt.Errorf("data directory %s: %w: name one that this user may write, with --data-dir or node.data_dir", dataDir, err)
	}
	return lock, err
}

// maxCookie bounds the size of a cookie, in bytes.
const maxCookie = 4096

// readCookie is the cookie of the configuration, from its file if it names one. One
// newline at the end, as editors leave it, is not part of it.
func readCookie(auth config.Auth) ([]byte, error) {
	if auth.CookieFile == "" {
		return []byte(auth.Cookie), nil
	}
	cookie, err := safefile.Read(auth.CookieFile, maxCookie)
	if err != nil {
		return nil, fmt.Errorf("auth.cookie_file: %w: write the cookie to that file, or set auth.cookie", err)
	}
	cookie = bytes.TrimSuffix(bytes.TrimSuffix(cookie, []byte("\n")), []byte("\r"))
	if len(cookie) == 0 {
		return nil, fmt.Errorf("auth.cookie_file: %s is empty: write the cookie into it", auth.CookieFile)
	}
	return cookie, nil
}

func (s *self) close() error {
	if s == nil || s.lock == nil {
		return nil
	}
	return s.lock.Release()
}

func (s *self) signer() link.Signer { return s.keys.Signer() }

// lentPins is the pin store as trust plugins see it, also while nothing is open.
func (s *self) lentPins() trust.Pins {
	if s.pins == nil {
		return noPins{}
	}
	return s.pins
}

// noPins stands where no data directory is open.
type noPins struct{}

var errNotOpen = errors.New("pins: the data directory is not open")

func (noPins) Lookup(name.Node) (trust.Pin, bool, error)      { return trust.Pin{}, false, errNotOpen }
func (noPins) PinIfAbsent(name.Node, trust.Key, string) error { return errNotOpen }

// tellingPins tells whoever listens when a trust plugin pins a key.
type tellingPins struct {
	trust.Pins
	life *life
}

// PinIfAbsent pins a key, and tells of it if it is a new pin.
func (p tellingPins) PinIfAbsent(node name.Node, key trust.Key, source string) error {
	_, known, err := p.Lookup(node)
	if err != nil {
		return err
	}
	if err := p.Pins.PinIfAbsent(node, key, source); err != nil {
		return err
	}
	if !known {
		p.life.publish("trust", "pinned", node, "by "+source, map[string]string{"fingerprint": key.Fingerprint()})
	}
	return nil
}

// nodeName is the name of the configuration, or the short host name at the first
// address of this machine.
func nodeName(given name.Node) (name.Node, error) {
	if !given.IsZero() {
		return given, nil
	}
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "node"
	}
	short, _, _ := strings.Cut(host, ".")
	node, err := name.ParseNode(short + "@" + machineAddress())
	if err != nil {
		return name.Node{}, fmt.Errorf("no usable name for this node: %w; set node.name", err)
	}
	return node, nil
}

// machineAddress is the first IPv4 address that is not loopback, then the first such
// IPv6 address, then 127.0.0.1.
func machineAddress() string {
	best := "127.0.0.1"
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return best
	}
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil || !prefix.Addr().IsGlobalUnicast() {
			continue
		}
		if prefix.Addr().Is4() {
			return prefix.Addr().String()
		}
		best = "[" + prefix.Addr().String() + "]"
	}
	return best
}
