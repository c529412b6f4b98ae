//go:build !js

package wschannel_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/wschannel/wschannel"
)

// A Jar gives its cookies to the request and takes those of the answer, whether
// it accepts or refuses. Secure cookies are for wss.
func TestCookieJar(t *testing.T) {
	got := make(chan []string, 1)
	servers := serveBoth(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var cookies []string
		for _, c := range r.Cookies() {
			cookies = append(cookies, c.Name+"="+c.Value)
		}
		slices.Sort(cookies)
		got <- cookies
		set := (&http.Cookie{Name: r.URL.Query().Get("set"), Value: "1", Path: "/", Secure: r.URL.Query().Has("secure")}).String()
		if r.URL.Path == "/refuse" {
			w.Header().Set("Set-Cookie", set)
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		if c, err := wschannel.Accept(w, r, &wschannel.AcceptOptions{Header: http.Header{"Set-Cookie": {set}}}); err == nil {
			c.Close()
		}
	}))
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	// A cookie is for a host whatever its port.
	jar.SetCookies(&url.URL{Scheme: "https", Host: "example.com"}, []*http.Cookie{{Name: "login", Value: "1"}, {Name: "safe", Value: "1", Secure: true}})
	d := through(t, nil)
	d.HTTPClient = &http.Client{Jar: jar}
	// For a name, as a jar takes this machine for secure.
	d.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		hostport := map[string]string{"example.com:80": servers["ws"], "example.com:443": servers["wss"]}[address]
		return new(net.Dialer).DialContext(ctx, network, hostport)
	}
	for _, test := range []struct {
		scheme, path string
		header       http.Header
		refused      bool
		want         []string
	}{
		{"ws", "/?set=a", nil, false, []string{"login=1"}},
		{"ws", "/refuse?set=b", nil, true, []string{"a=1", "login=1"}},
		{"wss", "/?set=c&secure", nil, false, []string{"a=1", "b=1", "login=1", "safe=1"}},
		{"wss", "/refuse?set=d&secure", nil, true, []string{"a=1", "b=1", "c=1", "login=1", "safe=1"}},
		{"ws", "/?set=e", nil, false, []string{"a=1", "b=1", "login=1"}},
		{"wss", "/?set=f", http.Header{"Cookie": {"own=1"}}, false, []string{"a=1", "b=1", "c=1", "d=1", "e=1", "login=1", "own=1", "safe=1"}},
	} {
		d.Header = test.header
		c, _, err := d.Connect(t.Context(), test.scheme+"://example.com"+test.path)
		hangUpAfter(t, c)
		var refused *wschannel.HandshakeError
		if errors.As(err, &refused) != test.refused || (err != nil) != test.refused {
			t.Fatalf("%s %s: %v", test.scheme, test.path, err)
		}
		if cookies := wait(t, "the request", got); !slices.Equal(cookies, test.want) {
			t.Errorf("%s %s: the server got %q, want %q", test.scheme, test.path, cookies, test.want)
		}
	}
}

// The user and the password of the URL are sent, but not in place of an
// Authorization of the caller's own, and never shown.
func TestBasicAuth(t *testing.T) {
	got := make(chan []string, 1)
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header["Authorization"]
		http.Error(w, "no", http.StatusUnauthorized)
	}))
	for _, test := range []struct {
		user   string
		header http.Header
		want   []string
	}{
		{"", nil, nil},
		{"user:p4ss@", nil, []string{"Basic dXNlcjpwNHNz"}},
		{"user:p4ss%40@", nil, []string{"Basic dXNlcjpwNHNzQA=="}},
		{"user@", nil, []string{"Basic dXNlcjo="}},
		{":p4ss@", nil, []string{"Basic OnA0c3M="}},
		{"user:p4ss@", http.Header{"Authorization": {"Bearer 1"}}, []string{"Bearer 1"}},
		{"user:p4ss@", http.Header{"authorization": {"Bearer 1"}}, []string{"Bearer 1"}},
		{"user:p4ss@", http.Header{"Authorization": nil}, nil},
	} {
		for _, client := range []*http.Client{nil, {Transport: &http.Transport{DisableKeepAlives: true}}} {
			d := wschannel.Dialer{Header: test.header, HTTPClient: client}
			_, resp, err := d.Connect(t.Context(), strings.Replace(url, "://", "://"+test.user, 1))
			if authorization := wait(t, "the request", got); !slices.Equal(authorization, test.want) {
				t.Errorf("%q and %v: the server got %q, want %q", test.user, test.header, authorization, test.want)
			}
			if err == nil || strings.Contains(err.Error(), "p4ss") || resp == nil {
				t.Errorf("%q: the error is %v", test.user, err)
			}
		}
	}
}

// However Host is spelled, it replaces that of the URL, once.
func TestHostHeader(t *testing.T) {
	requests := make(chan string, 1)
	hostport := listen(t, respond(func(request string) string {
		requests <- request
		return switching(request)
	}))
	for _, name := range []string{"Host", "host"} {
		c, _, err := wschannel.Dialer{Header: http.Header{name: {"virtual.example"}}}.Connect(t.Context(), "ws://"+hostport)
		if err != nil {
			t.Fatal(err)
		}
		c.CloseNow()
		request := wait(t, "the request", requests)
		if n := strings.Count(strings.ToLower(request), "\nhost:"); n != 1 || !slices.Equal(field(request, "Host"), []string{"virtual.example"}) {
			t.Errorf("the request is %q", request)
		}
	}
}
