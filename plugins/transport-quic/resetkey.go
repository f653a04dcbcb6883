package transportquic

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"

	"github.com/quic-go/quic-go"

	"github.com/barrelp2p/barrel/interfaces/safefile"
)

// socketKeys are the secrets by which a restarted node is known to the peers of its
// past: with the same reset key it can tell them that their connections are gone
// (RFC 9000 section 10.3), so that they notice at once and not by silence.
type socketKeys struct {
	reset quic.StatelessResetKey
	token quic.TokenGeneratorKey
}

const socketKeysSize = 32 + 32

// loadSocketKeys reads quic/reset.key. A missing or damaged one is made anew: what is
// lost is only that peers of the past learn of the restart later.
func loadSocketKeys(dir string, log *slog.Logger) (*socketKeys, error) {
	path := filepath.Join(dir, "reset.key")
	data, err := safefile.Read(path, socketKeysSize)
	if err == nil && len(data) == socketKeysSize {
		return socketKeysFrom(data), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, safefile.ErrTooLarge) {
		return nil, err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		log.Warn("reset key is damaged and was made anew; peers learn of this restart by silence", "file", path)
	}
	data = make([]byte, socketKeysSize)
	rand.Read(data) // never fails
	if err := ensureDir(dir, log); err != nil {
		return nil, err
	}
	return socketKeysFrom(data), safefile.Write(path, data, 0o600)
}

func socketKeysFrom(data []byte) *socketKeys {
	k := &socketKeys{}
	copy(k.reset[:], data[:32])
	copy(k.token[:], data[32:])
	return k
}
