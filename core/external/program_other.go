//go:build !linux

package external

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
)

// program is a copy of a program in the private directory of its process.
type program struct{ file *os.File }

func newProgram(_, private string) (*program, error) {
	f, err := os.CreateTemp(private, "program")
	if err != nil {
		return nil, err
	}
	return &program{file: f}, nil
}

// seal makes the copy executable and returns its checksum.
func (p *program) seal() (sum string, err error) {
	if err := p.file.Chmod(0o500); err != nil {
		return "", err
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, io.NewSectionReader(p.file, 0, maxProgram)); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// path is what to execute.
func (p *program) path(int) string { return p.file.Name() }

func (p *program) close() {
	_ = p.file.Close()
	_ = os.Remove(p.file.Name())
}
