//go:build !js

package wschannel

import (
	"net/http"
	"strconv"
)

// A ProxyError is a proxy that could not be reached, that refused, or that did
// not answer as one. It is the Err of a [ConnectError].
type ProxyError struct {
	// URL is the proxy, without a password.
	URL string
	// StatusCode is the status with which an HTTP proxy refused, as 407 if it
	// wants a password or another one. It is 0 for anything else.
	StatusCode int
	// Header is the header of that response.
	Header http.Header
	// Body is the first KiB of the body of that response.
	Body []byte
	// Err is what went wrong if there is no StatusCode, else nil. A SOCKS
	// proxy's refusal is one.
	Err error
}

// Error returns the proxy and what it said, or what went wrong.
func (e *ProxyError) Error() string {
	text := "proxy " + strconv.Quote(e.URL) + ": "
	if e.Err != nil {
		return text + e.Err.Error()
	}
	text += "refused with status " + strconv.Itoa(e.StatusCode)
	if reason := http.StatusText(e.StatusCode); reason != "" {
		text += " " + reason
	}
	if said := said(e.Body); said != "" {
		text += "; it said " + said
	}
	return text
}

// Unwrap returns Err.
func (e *ProxyError) Unwrap() error { return e.Err }
