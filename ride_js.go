package wschannel

import "context"

// ride hands the listener over to a loop, of which there is none.
func (l *listener) ride(context.Context) bool { return false }

// nudge has a listener on a loop look at the channel.
func (e *engine) nudge() {}
