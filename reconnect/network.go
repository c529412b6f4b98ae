package reconnect

// A Network knows when connecting has a chance. A program that learns from its
// system of lost and found networks, or of being brought to the foreground, can
// let a channel know through one.
type Network interface {
	// Online reports whether connecting makes sense. While it does not, the
	// channel waits for a change; links that are open are left alone.
	Online() bool

	// Watch calls changed, in any goroutine, when Online may have changed, and
	// when a pause should be cut short: each call while it is online makes a
	// channel that is waiting connect at once. changed does not block. stop
	// ends that.
	Watch(changed func()) (stop func())
}

// reachable stands for no Network.
type reachable struct{}

func (reachable) Online() bool               { return true }
func (reachable) Watch(func()) (stop func()) { return func() {} }
