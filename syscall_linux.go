//go:build !race

package wschannel

import (
	"syscall"
	"unsafe"
)

// quick is the longest read or write in bytes that is made without telling the
// scheduler: it cannot block, and copying so little takes a few microseconds.
// Telling would cost a tenth of a microsecond.
const quick = 64 << 10

// sysRead reads from a descriptor that does not block.
func sysRead(fd int, p []byte) (n int, err error) {
	if len(p) == 0 || len(p) > quick {
		return syscall.Read(fd, p)
	}
	r, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(r), nil
}

// sysWrite writes to a descriptor that does not block.
func sysWrite(fd int, p []byte) (n int, err error) {
	if len(p) == 0 || len(p) > quick {
		return syscall.Write(fd, p)
	}
	r, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(r), nil
}
