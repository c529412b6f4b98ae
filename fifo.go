package wschannel

import "slices"

// A fifo holds what waits, in order. Coming and going take constant time on
// average, and what has gone is kept no more. The zero fifo is empty, and so is
// one that has become empty.
type fifo[T any] struct {
	items []T // items[from:] wait
	from  int
}

func (f *fifo[T]) len() int { return len(f.items) - f.from }

// push makes x the last one.
func (f *fifo[T]) push(x T) {
	if len(f.items) == cap(f.items) && f.from > len(f.items)/2 {
		// Before they grow, so that one which never empties does not either.
		f.items, f.from = slices.Delete(f.items, 0, f.from), 0
	}
	f.items = append(f.items, x)
}

// first returns the first one, which there must be.
func (f *fifo[T]) first() *T { return &f.items[f.from] }

// pop removes the first one, which there must be.
func (f *fifo[T]) pop() T {
	x := f.items[f.from]
	clear(f.items[f.from : f.from+1])
	f.from++
	if f.from == len(f.items) {
		*f = fifo[T]{}
	}
	return x
}

// putBack makes x the first one.
func (f *fifo[T]) putBack(x T) {
	if f.from == 0 {
		f.items = slices.Insert(f.items, 0, x)
		return
	}
	f.from--
	f.items[f.from] = x
}

// remove removes the first one of which is says so, and reports whether there was
// one.
func (f *fifo[T]) remove(is func(T) bool) bool {
	switch i := slices.IndexFunc(f.items[f.from:], is); i {
	case -1:
		return false
	case 0:
		f.pop()
	default:
		f.items = slices.Delete(f.items, f.from+i, f.from+i+1)
	}
	return true
}
