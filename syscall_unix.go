//go:build unix && (!linux || race)

package wschannel

import "syscall"

// sysRead reads from a descriptor that does not block. The race detector looks
// at what package syscall does.
func sysRead(fd int, p []byte) (n int, err error) { return syscall.Read(fd, p) }

// sysWrite writes to a descriptor that does not block.
func sysWrite(fd int, p []byte) (n int, err error) { return syscall.Write(fd, p) }
