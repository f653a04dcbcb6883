package external

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The versions of Landlock that matter here. Below the first a file can be truncated
// that cannot be written, so that is no sandbox.
const (
	abiTruncate = 3 // Linux 6.2
	abiDevices  = 5 // Linux 6.10
	abiScopes   = 6 // Linux 6.12: signals and abstract sockets
)

// What is granted beneath a path. A file that may only be written may not be executed
// where it lies; memory may, so this does not keep a plugin from running what it wants.
const (
	readRights  = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	writeRights = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR | unix.LANDLOCK_ACCESS_FS_WRITE_FILE |
		unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK |
		unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_SYM | unix.LANDLOCK_ACCESS_FS_REFER
	// socketRights are for the folder of its sockets, where the host would follow a link.
	socketRights = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR | unix.LANDLOCK_ACCESS_FS_WRITE_FILE |
		unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE | unix.LANDLOCK_ACCESS_FS_MAKE_REG |
		unix.LANDLOCK_ACCESS_FS_MAKE_SOCK
	fileRights = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE |
		unix.LANDLOCK_ACCESS_FS_TRUNCATE
	// allRights are those of abiTruncate: bits 0 to 14.
	allRights = 1<<15 - 1
)

// startConfined starts a process that can touch what the sandbox grants and nothing else.
// In the eyes of Landlock the thread that starts it is one with it and has no secrets
// from it, so that thread ends at once; what it could be asked for until then is refused
// by the filter. The death signal would come at its end, and is taken back.
//
// A process begins as a copy of the one thread that starts it, and what a thread is
// refused is handed on to its threads and processes and outlives an exec. So every thread
// of the plugin is confined before its first instruction, as by a program that confines
// itself and executes the plugin; that would have to be in every program that embeds a
// node, and take the time of another start.
func startConfined(cmd *exec.Cmd, s *Sandbox, sockets string) error {
	cmd.SysProcAttr.Pdeathsig = 0
	return onAThreadThatEnds(func() error {
		if err := confineThread(s, sockets); err != nil {
			return err
		}
		return cmd.Start()
	})
}

// onAThreadThatEnds runs f on a thread that does nothing else afterwards. The main thread
// cannot end and would stay as f has left it, so it is held back while another one does it.
func onAThreadThatEnds(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			defer runtime.UnlockOSThread()
			done <- onAThreadThatEnds(f)
			return
		}
		done <- f() // still locked at its end, the goroutine takes its thread along
	}()
	return <-done
}

// confineThread takes from the thread of the caller, and from every process that it
// starts from then on, what the sandbox does not grant. There is no way back. The
// runtime makes no threads out of a locked one, so nothing else of this process is
// confined.
func confineThread(s *Sandbox, sockets string) error {
	abi, err := landlockABI()
	if err != nil {
		return err
	}
	rules, err := newRules(abi)
	if err != nil {
		return err
	}
	defer rules.Close()
	if err := s.grant(rules, sockets); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("%w: no_new_privs: %w", ErrSandbox, err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, rules.Fd(), 0, 0); errno != 0 {
		return fmt.Errorf("%w: restrict: %w", ErrSandbox, errno)
	}
	return filterThread(s.Network)
}

// landlockABI is what the kernel offers.
func landlockABI() (int, error) {
	abi, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		abi = 0
	}
	return int(abi), goodEnough(int(abi))
}

func goodEnough(abi int) error {
	if abi >= abiTruncate {
		return nil
	}
	return fmt.Errorf("%w: it takes Landlock as of Linux 6.2 (version %d), this kernel has version %d: boot it with lsm=landlock,... or take the section sandbox away",
		ErrSandbox, abiTruncate, abi)
}

// newRules is a set of rules that admits nothing.
func newRules(abi int) (*os.File, error) {
	attr := unix.LandlockRulesetAttr{Access_fs: allRights}
	if abi >= abiDevices {
		attr.Access_fs |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if abi >= abiScopes {
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0) //nolint:gosec // the kernel wants a pointer
	if errno != 0 {
		return nil, fmt.Errorf("%w: rules: %w", ErrSandbox, errno)
	}
	return os.NewFile(fd, "landlock rules"), nil
}

// grant adds a rule for everything that the process may touch. A path of the settings
// that does not exist is an error; one of ours is not.
func (s *Sandbox) grant(rules *os.File, sockets string) error {
	type grant struct {
		paths  []string
		rights uint64
		wanted bool // by somebody who has to be told that it is missing
	}
	grants := []grant{
		{[]string{sockets}, socketRights, true}, {s.Read, readRights, true}, {s.Write, writeRights, true},
		{[]string{"/dev/null", "/dev/zero", "/dev/urandom", "/dev/random"}, unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE, false},
	}
	if s.Network {
		grants = append(grants, grant{networkFiles(), readRights, false})
	}
	for _, g := range grants {
		for _, path := range g.paths {
			if err := admit(rules, path, g.rights); err != nil && (g.wanted || !errors.Is(err, fs.ErrNotExist)) {
				return fmt.Errorf("sandbox: %w", err)
			}
		}
	}
	return nil
}

// networkFiles are what names are resolved and certificates checked with.
func networkFiles() []string {
	return []string{"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/services", "/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/usr/share/ca-certificates"}
}

func admit(rules *os.File, path string, rights uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer func() { _ = unix.Close(fd) }()
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		rights &= fileRights
	}
	attr := unix.LandlockPathBeneathAttr{Allowed_access: rights, Parent_fd: int32(fd)}
	if _, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, rules.Fd(), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&attr)), 0, 0, 0); errno != 0 { //nolint:gosec // the kernel wants a pointer
		return &fs.PathError{Op: "grant", Path: path, Err: errno}
	}
	return nil
}
