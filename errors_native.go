//go:build !js

package wschannel

import "net"

// isPlatformClosed lets code that mutes net.ErrClosed mute a local close.
func isPlatformClosed(target error) bool { return target == net.ErrClosed }
