package external

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

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

// filterThread refuses calls of the system to the thread of the caller, and to every
// process that it starts from then on.
func filterThread(network bool) error {
	arch, known := filterArchs()[runtime.GOARCH]
	if !known {
		return fmt.Errorf("%w: calls of the system cannot be filtered on %s: take the section sandbox away", ErrSandbox, runtime.GOARCH)
	}
	return newFilter(arch, unix.Gettid(), network).install()
}

// filterArchs are the machines whose calls we know, as the kernel numbers them.
func filterArchs() map[string]uint32 {
	return map[string]uint32{
		"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64, "riscv64": unix.AUDIT_ARCH_RISCV64,
	}
}

// filter is a program that the kernel runs for each call.
type filter []unix.SockFilter

// newFilter is what holds for every sandbox, and without network for that as well.
// thread is the one that starts the process and is confined with it, so that Landlock
// would let the process kill it, and with it this whole process, as long as it is there.
func newFilter(arch uint32, thread int, network bool) filter {
	f := filter{
		load(atArch), jump(unix.BPF_JEQ, arch, 1, 0), refuse(unix.EPERM),
		load(atNumber), jump(unix.BPF_JGE, x32, 0, 1), refuse(unix.EPERM),
	}
	f.on(unix.SYS_IO_URING_SETUP, refuse(unix.EPERM)) // it does without a call what is refused below
	f.shutProcesses(uint32(thread))
	f.shutAttributes()
	if !network {
		f.shutNetwork()
	}
	return append(f, allow())
}

// shutProcesses refuses what reaches into other processes. Landlock has no say in the
// limits of another, and keeps its memory from a thread only that is confined otherwise.
func (f *filter) shutProcesses(thread uint32) {
	for _, number := range []uint32{
		unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PROCESS_MADVISE,
		unix.SYS_PIDFD_GETFD, unix.SYS_KCMP,
	} {
		f.on(number, refuse(unix.EPERM))
	}
	for _, number := range []uint32{unix.SYS_KILL, unix.SYS_TKILL, unix.SYS_RT_SIGQUEUEINFO, unix.SYS_PIDFD_OPEN} {
		f.on(number, load(atFirst), jump(unix.BPF_JEQ, thread, 0, 1), refuse(unix.EPERM), allow())
	}
	for _, number := range []uint32{unix.SYS_TGKILL, unix.SYS_RT_TGSIGQUEUEINFO} {
		f.on(number, load(atSecond), jump(unix.BPF_JEQ, thread, 0, 1), refuse(unix.EPERM), allow())
	}
	// A file that tells its owner of news by a signal does so by one that does no harm.
	f.on(unix.SYS_FCNTL, load(atSecond), jump(unix.BPF_JEQ, unix.F_SETSIG, 0, 1), refuse(unix.EPERM), allow())
	f.on(unix.SYS_PRLIMIT64, load(atFirst), jump(unix.BPF_JEQ, 0, 1, 0), refuse(unix.EPERM), allow())
}

// shutAttributes refuses to change owners, times and modes, of which Landlock knows
// nothing. The mode of a file that is open can be set to what our own files have.
func (f *filter) shutAttributes() {
	for _, number := range append(pathCalls(),
		unix.SYS_FCHMODAT, unix.SYS_FCHMODAT2, unix.SYS_FCHOWN, unix.SYS_FCHOWNAT, unix.SYS_UTIMENSAT,
		unix.SYS_SETXATTR, unix.SYS_LSETXATTR, unix.SYS_FSETXATTR, unix.SYS_SETXATTRAT,
		unix.SYS_REMOVEXATTR, unix.SYS_LREMOVEXATTR, unix.SYS_FREMOVEXATTR, unix.SYS_REMOVEXATTRAT, unix.SYS_FILE_SETATTR,
	) {
		f.on(number, refuse(unix.EPERM))
	}
	f.on(unix.SYS_FCHMOD, load(atSecond), jump(unix.BPF_JSET, 0o7777&^0o644, 0, 1), refuse(unix.EPERM), allow())
}

// load takes four bytes of the call.
func load(at uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
}

// jump skips as many steps as yes says if what was loaded compares with k, else no.
func jump(how uint16, k uint32, yes, no uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | how | unix.BPF_K, K: k, Jt: yes, Jf: no}
}

func allow() unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}
}

func refuse(errno unix.Errno) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)}
}

// on decides one call in steps of its own, the last of which returns.
func (f *filter) on(number uint32, steps ...unix.SockFilter) {
	*f = append(append(*f, jump(unix.BPF_JEQ, number, 0, uint8(len(steps)))), steps...)
}

// install puts the filter before all calls of this thread.
func (f filter) install() error {
	program := unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&program))); errno != 0 { //nolint:gosec // the kernel wants a pointer
		return fmt.Errorf("%w: filter of calls: %w", ErrSandbox, errno)
	}
	return nil
}

// shutNetwork leaves of the network what a plugin needs to be called: stream sockets of
// this machine, on which it waits. Landlock knows TCP only, so the calls that make
// sockets and connect them are refused. One of a pair for datagrams could send to any.
func (f *filter) shutNetwork() {
	f.on(unix.SYS_CONNECT, refuse(unix.EACCES))
	for _, number := range []uint32{unix.SYS_SOCKET, unix.SYS_SOCKETPAIR} {
		f.on(number,
			load(atFirst), jump(unix.BPF_JEQ, unix.AF_UNIX, 0, 3),
			load(atSecond), and(0xf), // without SOCK_CLOEXEC and SOCK_NONBLOCK
			jump(unix.BPF_JEQ, unix.SOCK_STREAM, 1, 0), refuse(unix.EACCES), allow())
	}
}

func and(mask uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: mask}
}
