//go:build !js

package wschannel

// A reception is the right to read, and who receives. Its notes tell whether
// somebody has claimed to be the one receiver, which a listener does for as long as
// it listens; how many receivers read or are about to, one or, while a stopped one
// is still leaving, more; and how many there have been, a number that starts again
// after some millions.
type reception struct{ right }

const (
	claimed    = rightNotes
	oneThere   = rightNotes << 1
	oneReceive = 1 << 40
)

// claim makes the caller the receiver, if there is none.
func (r *reception) claim() bool {
	for s := r.state.Load(); s&claimed == 0; s = r.state.Load() {
		if r.state.CompareAndSwap(s, s|claimed) {
			return true
		}
	}
	return false
}

func (r *reception) unclaim() { r.state.Add(minus(claimed)) }

// enter says that a receiver is about to read, leave that it has.
func (r *reception) enter() { r.state.Add(oneThere) }
func (r *reception) leave() { r.state.Add(oneReceive + minus(oneThere)) }

// anybody reports whether a receiver is there, receives how many have left.
func (r *reception) anybody() bool    { return r.state.Load()%oneReceive >= oneThere }
func (r *reception) receives() uint32 { return uint32(r.state.Load() / oneReceive) }

// begin is claim, enter and try, if all of them are possible; end takes it back.
func (r *reception) begin() bool {
	s := r.state.Load()
	return s&(claimed|rightHeld) == 0 && r.state.CompareAndSwap(s, s+claimed+oneThere+rightHeld)
}

func (r *reception) end() { r.releaseAnd(oneReceive + minus(oneThere+claimed)) }
