package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// maxSocketPath is the longest path that a unix socket can have, in bytes (unix(7)).
const maxSocketPath = 107

// errSocketInUse: a living node listens there.
var errSocketInUse = errors.New("another node listens here: stop it, or set admin.socket to another path")

// checkSocketPath says what to do about a path that no socket can have; the kernel
// would only say "invalid argument".
func checkSocketPath(path string) error {
	if len(path) <= maxSocketPath {
		return nil
	}
	return &Error{Kind: KindUsage, Text: fmt.Sprintf(
		"socket %q: %d bytes, at most %d: set a shorter path (admin.socket, or --socket)",
		path, len(path), maxSocketPath)}
}

// listen opens the socket at path with mode 0600. The socket is bound inside a fresh
// folder that only its owner can enter and renamed when its mode is right, so that
// there is no moment at which others could connect, whatever the umask is.
func listen(path string) (net.Listener, fs.FileInfo, error) {
	if err := checkSocketPath(path); err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, nil, fmt.Errorf("socket %q: %w", path, err)
	}
	if err := clearStale(path); err != nil {
		return nil, nil, fmt.Errorf("socket %q: %w", path, err)
	}
	l, info, err := bindPrivately(path)
	if err != nil {
		return nil, nil, fmt.Errorf("socket %q: %w", path, err)
	}
	return l, info, nil
}

func bindPrivately(path string) (net.Listener, fs.FileInfo, error) {
	room, err := os.MkdirTemp(filepath.Dir(path), ".s")
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = os.RemoveAll(room) }()
	l, err := listenIn(room)
	if err != nil {
		return nil, nil, err
	}
	l.SetUnlinkOnClose(false)
	info, err := publish(filepath.Join(room, "s"), path)
	if err != nil {
		return nil, nil, errors.Join(err, l.Close())
	}
	return l, info, nil
}

// listenIn binds a socket named s in the folder. It goes through the folder's
// descriptor, so that the longer temporary path does not count against the limit.
func listenIn(room string) (*net.UnixListener, error) {
	dir, err := os.Open(room)
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }()
	short := fmt.Sprintf("/proc/self/fd/%d/s", dir.Fd())
	if long := filepath.Join(room, "s"); len(long) <= maxSocketPath {
		short = long
	}
	return net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
}

func publish(private, path string) (fs.FileInfo, error) {
	if err := os.Chmod(private, 0o600); err != nil {
		return nil, err
	}
	if err := os.Rename(private, path); err != nil {
		return nil, err
	}
	return os.Lstat(path)
}

// clearStale removes a socket that nobody listens on, and nothing else.
func clearStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is in the way, not a socket: move it, or set admin.socket to another path", info.Mode().Type())
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	if err == nil {
		return errors.Join(errSocketInUse, conn.Close())
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("cannot tell whether a node listens here: %w", err)
	}
	return os.Remove(path)
}

// removeSocket removes the socket at path if it is still the one that was opened.
func removeSocket(path string, opened fs.FileInfo) error {
	now, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || !os.SameFile(now, opened) {
		return err
	}
	return os.Remove(path)
}
