package external

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
)

// maxProgram is how large a program may be, in bytes.
const maxProgram = 1 << 30

// Checksum is the SHA-256 of a file in lower-case hex.
func Checksum(path string) (string, error) {
	f, err := openRegular(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return "", fmt.Errorf("program %s: %w", path, err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

func openRegular(path string) (*os.File, error) {
	// Without O_NONBLOCK a pipe with a name would be waited for until somebody writes to it.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("program: %w", err)
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = fmt.Errorf("program %s: not a regular file", path)
	case info.Size() > maxProgram:
		err = fmt.Errorf("program %s: %d bytes, at most %d", path, info.Size(), maxProgram)
	case info.Mode().Perm()&0o111 == 0:
		err = fmt.Errorf("program %s: not executable: run chmod +x", path)
	default:
		return f, nil
	}
	return nil, errors.Join(err, f.Close())
}

// loadProgram copies the program to where nobody can change it, hashes that copy and
// compares. What is executed is the copy, so that it makes no difference what happens
// to the file meanwhile.
func loadProgram(spec Spec, private string) (*program, error) {
	file, err := openRegular(spec.Command)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	p, err := newProgram(spec.Name, private)
	if err != nil {
		return nil, fmt.Errorf("program %s: %w", spec.Command, err)
	}
	var sum string
	if _, err = io.Copy(p.file, io.LimitReader(file, maxProgram)); err == nil {
		sum, err = p.seal()
	}
	if err != nil {
		p.close()
		return nil, fmt.Errorf("program %s: %w", spec.Command, err)
	}
	if err := spec.admits(sum); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (s Spec) admits(sum string) error {
	if len(s.SHA256) == 0 || slices.ContainsFunc(s.SHA256, func(want string) bool { return strings.EqualFold(want, sum) }) {
		return nil
	}
	return fmt.Errorf("program %s: %w: it is %s, the settings allow %s: if the file was changed on purpose, `barrel plugin pin %s` prints the new line",
		s.Command, ErrChecksum, sum, strings.Join(s.SHA256, " or "), s.Command)
}
