package wschannel

import (
	"syscall"
	"unsafe"
)

// sysAvailable returns how many bytes can be read from a descriptor at once.
func sysAvailable(fd int) int {
	var n int32
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.TIOCINQ, uintptr(unsafe.Pointer(&n)))
	if errno != 0 {
		return 0
	}
	return int(n)
}
