package epoll

import (
	"net"
	"os"
	"syscall"
	"unsafe"
)

// WriteBuffers writes b and takes from it what was written, with as few system
// calls as it can. Of more than two slices only two are written at a time.
func (c *Conn) WriteBuffers(b *net.Buffers) (n int64, err error) {
	werr := c.await(&c.out, func(fd uintptr) bool {
		for consume(b, 0); len(*b) > 0; {
			var m int
			m, err = writev(int(fd), *b)
			if m > 0 {
				n += int64(m)
				consume(b, m)
			}
			switch err {
			case nil, syscall.EINTR:
			case syscall.EAGAIN:
				return false
			default:
				return true
			}
		}
		err = nil
		return true
	})
	if werr != nil {
		return n, werr
	}
	return n, os.NewSyscallError("write", err)
}

// writev writes at most the first two slices, of which the first is not empty.
func writev(fd int, b net.Buffers) (n int, err error) {
	if len(b) == 1 || len(b[1]) == 0 {
		return syscall.Write(fd, b[0])
	}
	v := [2]syscall.Iovec{{Base: &b[0][0]}, {Base: &b[1][0]}}
	v[0].SetLen(len(b[0]))
	v[1].SetLen(len(b[1]))
	r, _, errno := syscall.Syscall(syscall.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(&v)), 2)
	if errno != 0 {
		return 0, errno
	}
	return int(r), nil
}

// consume takes n bytes, and what is empty then, from the beginning of b.
func consume(b *net.Buffers, n int) {
	for len(*b) > 0 && n >= len((*b)[0]) {
		n -= len((*b)[0])
		(*b)[0] = nil
		*b = (*b)[1:]
	}
	if n > 0 {
		(*b)[0] = (*b)[0][n:]
	}
}
