package external

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/barrelp2p/barrel/interfaces/plugintest"
)

// sandboxLacking is why this system has no sandbox; nil if it has one.
func sandboxLacking() error {
	_, err := landlockABI()
	return err
}

// scopedSignal is what a signal to the host comes to.
func scopedSignal() string {
	if abi, _ := landlockABI(); abi < abiScopes {
		return "ok"
	}
	return "operation not permitted"
}

// A kernel that cannot confine is one on which nothing starts.
func TestKernelsThatAreTooOld(t *testing.T) {
	for _, abi := range []int{0, 1, 2} {
		if err := goodEnough(abi); !errors.Is(err, ErrSandbox) || !strings.Contains(err.Error(), "lsm=landlock") {
			t.Errorf("version %d: %v", abi, err)
		}
	}
	if err := goodEnough(abiTruncate); err != nil {
		t.Error(err)
	}
}

// trespassOnThreads tries, as a plugin, what threads of the host would be wanted for that
// are confined as the plugin is. The one that started it has a number between the two.
func trespassOnThreads(try func(string, func() error)) {
	each := func(f func(thread int) error) func() error {
		return func() (refused error) {
			for thread := os.Getpid() - 5000; thread <= os.Getpid(); thread++ {
				err := f(thread)
				if errors.Is(err, unix.EPERM) {
					refused = err
				} else if !errors.Is(err, unix.ESRCH) && !errors.Is(err, unix.EINVAL) {
					return nil
				}
			}
			return refused
		}
	}
	try("signal to threads", each(func(thread int) error { return unix.Tgkill(os.Getppid(), thread, 0) }))
	try("memory of threads", each(readMemory))
	try("limits of the host", func() error {
		return unix.Prlimit(os.Getppid(), unix.RLIMIT_CPU, nil, &unix.Rlimit{})
	})
}

// readMemory reads a byte of a process where there is one here, and so in a process of
// the same program most likely.
func readMemory(process int) error {
	var from, to byte
	at := unix.RemoteIovec{Base: uintptr(unsafe.Pointer(&from)), Len: 1}
	_, err := unix.ProcessVMReadv(process, []unix.Iovec{{Base: &to, Len: 1}}, []unix.RemoteIovec{at}, 0)
	return err
}

// A thread that has been confined is gone, and never the main one, which cannot go.
func TestThreadsThatEndInProcess(t *testing.T) {
	var mu sync.Mutex
	var threads []int
	var all, ended sync.WaitGroup
	const many = 32 // held together, so that the idle main thread would be among them
	all.Add(many)
	for range many {
		ended.Go(func() {
			_ = onAThreadThatEnds(func() error {
				mu.Lock()
				threads = append(threads, unix.Gettid())
				mu.Unlock()
				all.Done()
				all.Wait()
				return nil
			})
		})
	}
	ended.Wait()
	for _, thread := range threads {
		if thread == os.Getpid() {
			t.Error("the main thread would have been confined")
		}
		plugintest.Eventually(t, "thread "+itoa(thread)+" ends", func() bool {
			_, err := os.Stat(filepath.Join("/proc/self/task", itoa(thread)))
			return errors.Is(err, os.ErrNotExist)
		})
	}
}

// What the filter of calls refuses, as seen by a thread that has it.
func TestCallsOfASandbox(t *testing.T) {
	if sandboxLacking() != nil {
		return // TestASandboxedPlugin tells that nothing starts then
	}
	self := os.Getpid()
	for _, network := range []bool{false, true} {
		err := onAThreadThatEnds(func() error {
			if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
				return err
			}
			// The main thread stands for the one that is confined.
			if err := newFilter(auditArch(), self, network).install(); err != nil {
				return err
			}
			expectCalls(t, network)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// auditArch is that of the machine of the test.
func auditArch() uint32 { return filterArchs()[runtime.GOARCH] }

func expectCalls(t *testing.T, network bool) {
	self := os.Getpid()
	call := func(number uintptr, args ...uintptr) error {
		args = append(args, 0, 0, 0)
		if _, _, errno := unix.RawSyscall(number, args[0], args[1], args[2]); errno != 0 {
			return errno
		}
		return nil
	}
	expect := func(what string, got, want error) {
		t.Helper()
		if !errors.Is(got, want) {
			t.Errorf("network %v: %s: %v, want %v", network, what, got, want)
		}
	}
	expect("memory", readMemory(self), unix.EPERM)
	expect("ptrace", call(unix.SYS_PTRACE, unix.PTRACE_PEEKDATA, uintptr(self)), unix.EPERM)
	expect("kcmp", call(unix.SYS_KCMP, uintptr(self), uintptr(self)), unix.EPERM)
	expect("kill", unix.Kill(self, 0), unix.EPERM)
	expect("tgkill", unix.Tgkill(self, self, 0), unix.EPERM)
	expect("tgkill of another", unix.Tgkill(self, unix.Gettid(), 0), nil)
	expect("tkill", call(unix.SYS_TKILL, uintptr(self)), unix.EPERM)
	expect("pidfd", call(unix.SYS_PIDFD_OPEN, uintptr(self)), unix.EPERM)
	expect("io_uring", call(unix.SYS_IO_URING_SETUP, 1, 0), unix.EPERM) // it would do what is refused here
	_, err := unix.FcntlInt(0, unix.F_SETSIG, 0)
	expect("setsig", err, unix.EPERM)
	_, err = unix.FcntlInt(0, unix.F_GETFD, 0)
	expect("getfd", err, nil)
	expect("own limit", unix.Prlimit(0, unix.RLIMIT_CPU, nil, &unix.Rlimit{}), nil)
	expect("limit", unix.Prlimit(self, unix.RLIMIT_CPU, nil, &unix.Rlimit{}), unix.EPERM)
	expectAttributes(t, expect)
	wanted := map[bool]error{false: unix.EACCES}[network]
	datagrams, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	expect("a pair for datagrams", err, wanted)
	internet, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	expect("a socket of the network", err, wanted)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	expect("a pair for streams", err, nil)
	expect("connect", unix.Connect(pair[0], &unix.SockaddrUnix{Name: "/none"}), map[bool]error{false: unix.EACCES, true: unix.ENOENT}[network])
	for _, fd := range []int{pair[0], pair[1]} {
		_ = unix.Close(fd)
	}
	if network {
		_, _, _ = unix.Close(datagrams[0]), unix.Close(datagrams[1]), unix.Close(internet)
	}
}

// expectAttributes tries what changes more of a file than what is in it.
func expectAttributes(t *testing.T, expect func(string, error, error)) {
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	expect("create", err, nil)
	defer func() { _ = file.Close() }()
	expect("chmod", os.Chmod(file.Name(), 0o600), unix.EPERM)
	expect("chown", os.Chown(file.Name(), os.Getuid(), os.Getgid()), unix.EPERM)
	expect("lchown", os.Lchown(file.Name(), os.Getuid(), os.Getgid()), unix.EPERM)
	expect("chtimes", os.Chtimes(file.Name(), time.Now(), time.Now()), unix.EPERM)
	expect("setxattr", unix.Setxattr(file.Name(), "user.x", nil, 0), unix.EPERM)
	expect("removexattr", unix.Removexattr(file.Name(), "user.x"), unix.EPERM)
	expect("own mode", file.Chmod(0o644), nil)
	expect("mode for others", file.Chmod(0o666), unix.EPERM)
}
