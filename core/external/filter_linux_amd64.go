package external

import "golang.org/x/sys/unix"

// pathCalls are the calls for owners, times and modes that newer machines do not have.
func pathCalls() []uint32 {
	return []uint32{unix.SYS_CHMOD, unix.SYS_CHOWN, unix.SYS_LCHOWN, unix.SYS_UTIME, unix.SYS_UTIMES, unix.SYS_FUTIMESAT}
}
