//go:build unix && !linux

package wschannel

// sysAvailable returns how many bytes can be read from a descriptor at once, or 0.
func sysAvailable(int) int { return 0 }
