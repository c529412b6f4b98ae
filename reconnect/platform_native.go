//go:build !js

package reconnect

import (
	"errors"

	"github.com/wschannel/wschannel"
)

func platformNetwork() Network { return reachable{} }

// proxyStatus returns the status with which an HTTP proxy refused, 0 if none did.
func proxyStatus(err error) int {
	var refused *wschannel.ProxyError
	if errors.As(err, &refused) {
		return refused.StatusCode
	}
	return 0
}
