package epoll

import (
	"syscall"
	"unsafe"
)

// pollNow is epoll_wait that does not wait. So the scheduler need not be told. It
// returns the number of events.
func pollNow(fd int, events []syscall.EpollEvent) int {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(fd),
		uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
	if errno != 0 {
		return 0 // interrupted
	}
	return int(n)
}
