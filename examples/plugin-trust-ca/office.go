package main

import (
	"crypto/ed25519"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	cryptorand "crypto/rand"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/safefile"
)

// office is the authority's side, for a machine that is offline: init, sign, revoke.
func office(verb string, args []string, out io.Writer) error {
	flags := flag.NewFlagSet(verb, flag.ContinueOnError)
	dir := flags.String("dir", "authority", "folder of the authority's key")
	node := flags.String("node", "", "name@host to sign for")
	key := flags.String("key", "", "its public key in hex, as barrel keys show prints it")
	days := flags.Int("days", 90, "for how many days")
	serials := flags.String("serials", "", "serials to revoke, all of them at each time, as 17,23")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch verb {
	case "init":
		return found(*dir, out)
	case "sign":
		return sign(*dir, *node, *key, *days, out)
	case "revoke":
		return revoke(*dir, *serials, out)
	}
	return fmt.Errorf("%q: there is init, sign and revoke; without an argument it is a plugin", verb)
}

// found makes a new authority. It never replaces one.
func found(dir string, out io.Writer) error {
	if _, err := safefile.EnsureDir(dir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(dir, "authority.key")
	if _, err := safefile.Read(path, maxFile); err == nil {
		return fmt.Errorf("%s exists already", path)
	}
	public, private, err := ed25519.GenerateKey(cryptorand.Reader)
	if err != nil {
		return err
	}
	if err := safefile.Write(path, private.Seed(), 0o600); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "authority: %s\n", hex.EncodeToString(public))
	return err
}

func authority(dir string) (ed25519.PrivateKey, error) {
	seed, err := safefile.Read(filepath.Join(dir, "authority.key"), maxFile)
	if err != nil {
		return nil, err
	}
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("authority.key: %d bytes, want %d", len(seed), ed25519.SeedSize)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

func sign(dir, node, key string, days int, out io.Writer) error {
	private, err := authority(dir)
	if err != nil {
		return err
	}
	parsed, err := name.ParseNode(node)
	if err != nil {
		return err
	}
	if raw, err := hex.DecodeString(key); err != nil || len(raw) != ed25519.PublicKeySize {
		return errors.New("-key: write the 64 hex digits that barrel keys show prints")
	}
	var serial [8]byte
	if _, err := cryptorand.Read(serial[:]); err != nil {
		return err
	}
	c := certificate{
		Node: parsed, Key: strings.ToLower(key), Serial: binary.BigEndian.Uint64(serial[:]) >> 12,
		NotAfter: time.Now().UTC().Add(time.Duration(days) * 24 * time.Hour).Truncate(time.Second),
	}
	c.Signature = ed25519.Sign(private, c.signed())
	return json.NewEncoder(out).Encode(c)
}

func revoke(dir, serials string, out io.Writer) error {
	private, err := authority(dir)
	if err != nil {
		return err
	}
	r := revocation{Serials: []uint64{}, Issued: time.Now().UTC().Truncate(time.Second)}
	for _, word := range strings.FieldsFunc(serials, func(r rune) bool { return r == ',' }) {
		serial, err := strconv.ParseUint(word, 10, 64)
		if err != nil {
			return fmt.Errorf("-serials: %q is no serial", word)
		}
		r.Serials = append(r.Serials, serial)
	}
	r.Signature = ed25519.Sign(private, r.signed())
	return json.NewEncoder(out).Encode(r)
}
