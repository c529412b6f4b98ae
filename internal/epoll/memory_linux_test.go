package epoll

import (
	"strconv"
	"testing"
	"unsafe"
)

// Memory is given out in steps: 112, 128, 144 bytes.
func TestAllocSizeOfConn(t *testing.T) {
	const budget = 128
	if size := unsafe.Sizeof(Conn{}); strconv.IntSize == 64 && size > budget {
		t.Errorf("a Conn has %d bytes, the budget is %d", size, budget)
	}
}
