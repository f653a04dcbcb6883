package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/barrelp2p/barrel/interfaces/safefile"
)

// ErrIncarnation is the kind of error of Incarnation for a file that holds no usable
// number.
var ErrIncarnation = errors.New("no incarnation number")

// MaxIncarnation is the largest number an incarnation can have: what every reader of
// JSON can still count by ones. A clock in milliseconds gets there in 285,000 years.
const MaxIncarnation = 1 << 53

// Incarnation returns the number of this life of the node, at least 1: larger than
// that of every life before, and at least the time in milliseconds since 1970, so that
// it also grows when the data folder was lost. It is on disk (run/incarnation, decimal)
// before it is returned. Call it once for each start, holding the Lock.
func Incarnation(dataDir string) (uint64, error) { return incarnation(dataDir, time.Now()) }

func incarnation(dataDir string, now time.Time) (uint64, error) {
	dir := runDir(dataDir)
	if _, err := safefile.EnsureDir(dir, secretDir); err != nil {
		return 0, err
	}
	path := filepath.Join(dir, "incarnation")
	last, err := readIncarnation(path)
	if err != nil {
		return 0, err
	}
	life := max(last+1, uint64(max(now.UnixMilli(), 1)))
	text := strconv.FormatUint(life, 10) + "\n"
	if err := safefile.Write(path, []byte(text), secretFile); err != nil {
		return 0, err
	}
	return life, nil
}

// readIncarnation returns 0 if there was no life before. A file that cannot be
// understood is not taken for none: a number that is too small would let the node be
// taken for its own past.
func readIncarnation(path string) (uint64, error) {
	data, err := safefile.Read(path, 64)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, nil
	case err != nil && !errors.Is(err, safefile.ErrTooLarge):
		return 0, err
	}
	n, parseErr := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64)
	if err != nil || parseErr != nil || n >= MaxIncarnation {
		return 0, fmt.Errorf("%s: %w: %.24q: write the last incarnation that peers saw into it (\"barrel members\" on one of them); or, if the clock is right, remove it",
			path, ErrIncarnation, data)
	}
	return n, nil
}
