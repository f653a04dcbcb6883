//go:build !linux

package external

import (
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

func (p *program) seal() error { return p.file.Chmod(0o500) }

// path is what to execute.
func (p *program) path(int) string { return p.file.Name() }

func (p *program) close() {
	_ = p.file.Close()
	_ = os.Remove(p.file.Name())
}
