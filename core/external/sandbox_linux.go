package external

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
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

// What is granted beneath a path. What a plugin may write it may not execute.
const (
	readRights  = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	writeRights = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR | unix.LANDLOCK_ACCESS_FS_WRITE_FILE |
		unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK |
		unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_SYM | unix.LANDLOCK_ACCESS_FS_REFER
	fileRights = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE |
		unix.LANDLOCK_ACCESS_FS_TRUNCATE
	// allRights are those of abiTruncate: bits 0 to 14.
	allRights = 1<<15 - 1
)

// confineThread takes from the thread of the caller, and from every process that it
// starts from then on, what the sandbox does not grant. There is no way back: the
// goroutine must have locked its thread and end without unlocking it. The runtime makes
// no threads out of a locked one, so nothing else of this process is confined.
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
	if s.Network {
		return nil
	}
	return shutNetwork()
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
		{[]string{sockets}, writeRights, true}, {s.Read, readRights, true}, {s.Write, writeRights, true},
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

// shutNetwork leaves of the network what a plugin needs to be called: stream sockets of
// this machine, on which it waits. Landlock knows TCP only, so the calls that make
// sockets and connect them are refused.
func shutNetwork() error {
	arch, known := map[string]uint32{
		"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64, "riscv64": unix.AUDIT_ARCH_RISCV64,
	}[runtime.GOARCH]
	if !known {
		return fmt.Errorf("%w: the network cannot be shut off on %s: write network: true", ErrSandbox, runtime.GOARCH)
	}
	filter := networkFilter(arch)
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&program))); errno != 0 { //nolint:gosec // the kernel wants a pointer
		return fmt.Errorf("%w: network filter: %w", ErrSandbox, errno)
	}
	return nil
}

// Where the kernel puts a call for a filter to see, in bytes: its number, its
// architecture, and the low halves of its first two arguments.
const (
	atNumber = 0
	atArch   = 4
	atFirst  = 16
	atSecond = 24
	// x32 is the bit of the numbers of another set of calls for the same machine.
	x32 = 0x40000000
)

// networkFilter refuses connect, io_uring, and every socket but a stream of this machine.
func networkFilter(arch uint32) []unix.SockFilter {
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	jump := func(how uint16, k uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | how | unix.BPF_K, K: k, Jt: yes, Jf: no}
	}
	end := func(k uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: k} }
	return []unix.SockFilter{
		load(atArch),
		jump(unix.BPF_JEQ, arch, 0, 11), // else refuse
		load(atNumber),
		jump(unix.BPF_JGE, x32, 9, 0),
		jump(unix.BPF_JEQ, unix.SYS_CONNECT, 8, 0),
		jump(unix.BPF_JEQ, unix.SYS_IO_URING_SETUP, 7, 0),
		jump(unix.BPF_JEQ, unix.SYS_SOCKET, 0, 5), // else allow
		load(atFirst),
		jump(unix.BPF_JEQ, unix.AF_UNIX, 0, 4),
		load(atSecond),
		{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: 0xf}, // without SOCK_CLOEXEC and SOCK_NONBLOCK
		jump(unix.BPF_JEQ, unix.SOCK_STREAM, 0, 1),
		end(unix.SECCOMP_RET_ALLOW),
		end(unix.SECCOMP_RET_ERRNO | uint32(unix.EACCES)),
	}
}
