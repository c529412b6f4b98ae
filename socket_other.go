//go:build !unix && !js

package wschannel

// socketError returns nil: this system cannot be asked without reading.
func socketError(transport) error { return nil }
