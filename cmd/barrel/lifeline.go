package main

import (
	"errors"
	"io"
	"os"
	"strconv"
	"syscall"
)

// lifelineVariable is between `barrel demo` and the nodes that it starts, not for
// people. It is the number of a file that such a node inherits: the reading end of a
// pipe into which nobody writes. The pipe ends when the demo does, be it by SIGKILL,
// and then the node stops as it does on SIGTERM. Only `run` looks at it.
const lifelineVariable = "BARREL_LIFELINE_FD"

// holdLifeline sends SIGTERM into signals when the lifeline ends, if there is one.
// release lets go of it and waits until nothing is sent any more.
func (a *app) holdLifeline(signals chan<- os.Signal) (release func(), err error) {
	text := a.variable(lifelineVariable)
	if text == "" {
		return func() {}, nil
	}
	fd, err := strconv.Atoi(text)
	if err != nil || fd <= syscall.Stderr {
		return nil, usage("%s %q: no number of an inherited file: unset it", lifelineVariable, text)
	}
	if err := syscall.SetNonblock(fd, true); err != nil { // a read then ends when the file is closed
		return nil, usage("%s %q: %v: unset it", lifelineVariable, text, err)
	}
	syscall.CloseOnExec(fd)
	line := os.NewFile(uintptr(fd), lifelineVariable)
	released, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		if _, err := io.Copy(io.Discard, line); errors.Is(err, os.ErrClosed) {
			return
		}
		select {
		case signals <- syscall.SIGTERM:
		case <-released:
		}
	}()
	return func() {
		close(released)
		line.Close()
		<-ended
	}, nil
}
