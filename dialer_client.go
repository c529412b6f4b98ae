//go:build !js

package wschannel

import (
	"fmt"
	"net/http"
)

// maxRedirects is how many redirects are followed, for a CheckRedirect that
// lets everything pass. It is the number that net/http has for its own.
const maxRedirects = 10

// client returns a copy of the client to be used.
func (d *Dialer) client() (*http.Client, error) {
	var c http.Client
	if d.HTTPClient != nil {
		c = *d.HTTPClient
	}
	if c.Transport == nil {
		c.Transport = ownTransport{d}
	} else {
		for _, field := range []struct {
			name string
			set  bool
		}{
			{"Proxy", d.Proxy != nil},
			{"DialContext", d.DialContext != nil},
			{"TLSConfig", d.TLSConfig != nil},
		} {
			if field.set {
				return nil, fmt.Errorf("Dialer has both %s and an HTTPClient with a Transport: expected one of them", field.name)
			}
		}
	}
	c.CheckRedirect = redirectPolicy(c.CheckRedirect)
	return &c, nil
}

// redirectPolicy makes CheckRedirect of a client from the caller's.
func redirectPolicy(follow func(*http.Request, []*http.Request) error) func(*http.Request, []*http.Request) error {
	if follow == nil {
		return func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return func(r *http.Request, via []*http.Request) error {
		switch r.URL.Scheme {
		case "ws":
			r.URL.Scheme = "http"
		case "wss":
			r.URL.Scheme = "https"
		}
		// net/http sends where it comes from, and with the query what may be a
		// secret. Browsers send no Referer with a handshake.
		if via[0].Header.Get("Referer") == "" {
			r.Header.Del("Referer")
		}
		if err := follow(r, via); err != nil {
			return err
		}
		if len(via) >= maxRedirects {
			return fmt.Errorf("stopped after %d redirects", maxRedirects)
		}
		return nil
	}
}

// notFollowed explains a response that is a redirect which could be followed,
// and returns "" for any other.
func (d *Dialer) notFollowed(resp *http.Response) string {
	location := resp.Header.Get("Location")
	if location == "" || d.HTTPClient != nil && d.HTTPClient.CheckRedirect != nil {
		return ""
	}
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return "the server redirects to " + quote(location, 128) + ", which is followed only if the Dialer's HTTPClient has a CheckRedirect"
	}
	return ""
}
