package safefile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// ErrTooLarge is the kind of error of Read for a file that is larger than allowed.
var ErrTooLarge = errors.New("too large")

// ErrElement is the kind of error of Join for a name that is no single file name.
var ErrElement = errors.New("not a file name")

// Read returns the content of a regular file of at most limit bytes. It never waits
// for a pipe or a device that somebody put in place of the file. Errors keep their
// kind: fs.ErrNotExist, fs.ErrPermission, ErrTooLarge.
func Read(path string, limit int) (data []byte, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, at(path, err)
	}
	defer func() {
		if closed := f.Close(); err == nil {
			err = at(path, closed)
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, at(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: is a %s, not a file", path, kindOf(info))
	}
	return readAll(f, path, limit)
}

func readAll(f *os.File, path string, limit int) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err != nil {
		return nil, at(path, err)
	}
	if len(data) > limit {
		return nil, fmt.Errorf("%s: %w: more than %d bytes", path, ErrTooLarge, limit)
	}
	return data, nil
}

func kindOf(info os.FileInfo) string {
	if info.IsDir() {
		return "folder"
	}
	return "special file (" + info.Mode().Type().String() + ")"
}

// maxElement is the longest file name of the common file systems, in bytes.
const maxElement = 255

// Join is dir and one file name below it. A name that is empty, ".", "..", longer
// than 255 bytes, or has a separator or a NUL in it is refused with ErrElement: text
// that came from elsewhere can name a file in dir and nothing else.
func Join(dir, element string) (string, error) {
	switch {
	case element == "" || element == "." || element == "..":
		return "", fmt.Errorf("%s: %q: %w", dir, element, ErrElement)
	case len(element) > maxElement:
		return "", fmt.Errorf("%s: %q: %w: %d bytes, at most %d", dir, element[:32]+"...", ErrElement, len(element), maxElement)
	case strings.ContainsAny(element, "/\\\x00"):
		return "", fmt.Errorf("%s: %q: %w: has a separator in it", dir, element, ErrElement)
	}
	return filepath.Join(dir, element), nil
}
