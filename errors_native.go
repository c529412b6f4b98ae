//go:build !js

package wschannel

import (
	"errors"
	"net"
	"net/url"
	"strings"
)

// isPlatformClosed lets code that mutes net.ErrClosed mute a local close.
func isPlatformClosed(target error) bool { return target == net.ErrClosed }

// redacted returns raw without its password, and nothing of it if the password
// may be where it does not belong.
func redacted(raw string) string {
	u, err := url.Parse(raw)
	misplaced := err == nil && u.User == nil && (u.Host == "" || u.Fragment != "") && strings.Contains(raw, "@")
	if err != nil || misplaced {
		return "(malformed URL)"
	}
	return u.Redacted()
}

// unwrapURL takes the layer off that net/http and net/url put round an error
// to repeat the URL.
func unwrapURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
