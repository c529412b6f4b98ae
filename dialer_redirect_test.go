//go:build !js

package wschannel_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wschannel/wschannel"
)

func follow(*http.Request, []*http.Request) error { return nil }

// Without a CheckRedirect a redirect is a refusal, which says how it could be
// followed.
func TestRedirectNotFollowed(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		status, _ := strconv.Atoi(r.URL.Path[1:])
		if r.URL.RawQuery == "" {
			w.Header().Set("Location", "/there\u202e"+strings.Repeat("x", 500))
		}
		w.WriteHeader(status)
	})
	url := serve(t, mux)
	const followed = `^wschannel: handshake failed with status \d+: the server redirects to "/there\\u202ex{119}"…, ` +
		`which is followed only if the Dialer's HTTPClient has a CheckRedirect$`
	const plain = `: the server must answer with status 101$`
	useLast := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, test := range []struct {
		path   string
		client *http.Client
		want   string
	}{
		{"301", nil, followed},
		{"302", &http.Client{}, followed},
		{"303", &http.Client{Transport: http.DefaultTransport}, followed},
		{"307", nil, followed},
		{"308", nil, followed},
		{"300", nil, plain},
		{"304", nil, plain},
		{"404", nil, plain},
		{"302?nowhere", nil, plain},
		{"302?nowhere", &http.Client{CheckRedirect: follow}, plain},
		{"302", &http.Client{CheckRedirect: useLast}, plain},
	} {
		leakless(t, func() {
			c, resp, err := wschannel.Dialer{HTTPClient: test.client}.Connect(t.Context(), url+"/"+test.path)
			var refused *wschannel.HandshakeError
			if c != nil || !errors.As(err, &refused) || strconv.Itoa(refused.StatusCode) != test.path[:3] || resp == nil || resp.StatusCode != refused.StatusCode {
				t.Fatalf("%s: got %p, %v, %v; want a refusal with that status", test.path, c, resp, err)
			}
			checkMatch(t, test.path, err.Error(), test.want)
			if test.client != nil {
				test.client.CloseIdleConnections() // of http.DefaultTransport
			}
		})
	}
}

// A redirect that is followed is the same handshake again: to a path, another
// server, with TLS or without, however the scheme is called.
func TestRedirectFollowed(t *testing.T) {
	requests := make(chan *http.Request, 3)
	echoing := &wschannel.Server{Handler: echo, AcceptOptions: wschannel.AcceptOptions{Options: wschannel.Options{Protocols: []string{"b"}}}}
	record := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- r
		echoing.ServeHTTP(w, r)
	})
	plain := strings.TrimPrefix(serve(t, record), "ws://")
	secure, trusting := serveTLS(t, record)
	secure = strings.TrimPrefix(secure, "wss://")
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		requests <- r
		w.Header().Set("Location", r.URL.Query().Get("to"))
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	mux.Handle("/there", record)
	from := serveBoth(t, mux)
	for _, scheme := range bothSchemes {
		for _, test := range []struct {
			to   string
			host string
		}{
			{"/there", from[scheme]},
			{"//" + map[string]string{"ws": plain, "wss": secure}[scheme] + "/there", ""},
			{"http://" + plain + "/there", plain},
			{"ws://" + plain + "/there", plain},
			{"https://" + secure + "/there", secure},
			{"wss://" + secure + "/there", secure},
		} {
			t.Run(scheme+" to "+test.to, func(t *testing.T) {
				leakless(t, func() {
					d := wschannel.Dialer{
						Options:    wschannel.Options{Protocols: []string{"a", "b"}},
						Header:     http.Header{"Fruit": {"apple"}},
						TLSConfig:  trusting,
						HTTPClient: &http.Client{CheckRedirect: follow},
					}
					c, resp, err := d.Connect(t.Context(), scheme+"://"+from[scheme]+"/here?to="+test.to)
					if err != nil {
						t.Fatal(err)
					}
					checkEcho(t, c)
					first, second := wait(t, "the first request", requests), wait(t, "the second request", requests)
					for _, name := range []string{"Upgrade", "Connection", "Sec-Websocket-Version", "Sec-Websocket-Key", "Sec-Websocket-Protocol", "Fruit"} {
						if got := second.Header[name]; len(got) != 1 || !slices.Equal(got, first.Header[name]) {
							t.Errorf("%s has become %q from %q", name, got, first.Header[name])
						}
					}
					if got := second.Header["Referer"]; got != nil {
						t.Errorf("Referer is %q", got)
					}
					if test.host != "" && second.Host != test.host {
						t.Errorf("Host is %s, want %s", second.Host, test.host)
					}
					if c.Protocol() != "b" || resp.Request.URL.Path != "/there" {
						t.Errorf("the subprotocol is %q, the response is from %s", c.Protocol(), resp.Request.URL)
					}
					if remote := c.Underlying().RemoteAddr().String(); remote != second.Host {
						t.Errorf("the channel runs on a connection to %s, the last request was for %s", remote, second.Host)
					}
					if err := c.Close(); err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
}

// What is secret stays with the host that it was meant for.
func TestRedirectSecrets(t *testing.T) {
	got := make(chan http.Header, 1)
	echoing := &wschannel.Server{Handler: echo}
	there := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header
		echoing.ServeHTTP(w, r)
	}))
	here := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "s3cret"})
		http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusFound)
	}))
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	another := strings.Replace(there, "127.0.0.1", "localhost", 1)
	for _, test := range []struct {
		name, to string
		d        wschannel.Dialer
		kept     []string
	}{
		{"of the URL", another, wschannel.Dialer{}, nil},
		{"of the header", another, wschannel.Dialer{Header: http.Header{
			"Authorization": {"Bearer s3cret"}, "Cookie": {"a=s3cret"}, "Proxy-Authorization": {"s3cret"}}}, nil},
		{"however it is spelled", another, wschannel.Dialer{Header: http.Header{"authorization": {"Bearer s3cret"}, "cookie": {"a=s3cret"}}}, nil},
		{"the same host", there, wschannel.Dialer{Header: http.Header{"Authorization": {"Bearer s3cret"}}}, []string{"Authorization", "Cookie"}},
		{"a Referer of the caller's own", another, wschannel.Dialer{Header: http.Header{"Referer": {"s3cret"}}}, []string{"Referer"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.d.HTTPClient = &http.Client{CheckRedirect: follow, Jar: jar}
			from := strings.Replace(here, "://", "://me:s3cret@", 1)
			c, _, err := test.d.Connect(t.Context(), from+"/?token=s3cret&to="+test.to)
			if err != nil {
				t.Fatal(err)
			}
			hangUpAfter(t, c)
			var kept []string
			for name, values := range wait(t, "the request", got) {
				if text := fmt.Sprint(values); strings.Contains(text, "s3cret") || name == "Authorization" {
					kept = append(kept, name)
				}
			}
			slices.Sort(kept)
			if !slices.Equal(kept, test.kept) {
				t.Errorf("the other server got secrets in %q, want %q", kept, test.kept)
			}
		})
	}
}

// Redirects end: by the caller's will, by their number, by a place that there is
// no way to.
func TestRedirectEnds(t *testing.T) {
	requests := make(chan string, 30)
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		requests <- r.URL.Path
		http.Redirect(w, r, "/again", http.StatusFound)
	})
	mux.HandleFunc("/ftp", func(w http.ResponseWriter, r *http.Request) {
		requests <- r.URL.Path
		w.Header().Set("Location", "ftp://host/")
		w.WriteHeader(http.StatusFound)
	})
	url := serve(t, mux)
	stop := errors.New("no further")
	for _, test := range []struct {
		path     string
		check    func(*http.Request, []*http.Request) error
		requests int
		err      error
		want     string
	}{
		{"/here", follow, 10, nil, "stopped after 10 redirects$"},
		{"/here", func(r *http.Request, via []*http.Request) error {
			if len(via) == 3 {
				return stop
			}
			return nil
		}, 3, stop, ": no further$"},
		{"/ftp", follow, 1, nil, `unsupported protocol scheme "ftp"$`},
	} {
		leakless(t, func() {
			d := wschannel.Dialer{HTTPClient: &http.Client{CheckRedirect: test.check}}
			c, resp, err := d.Connect(t.Context(), strings.Replace(url, "://", "://me:p4ss@", 1)+test.path)
			var connect *wschannel.ConnectError
			if c != nil || resp != nil || !errors.As(err, &connect) || test.err != nil && !errors.Is(err, test.err) {
				t.Fatalf("%s: got %p, %v, %v; want a ConnectError alone", test.path, c, resp, err)
			}
			checkMatch(t, test.path, err.Error(), test.want)
			if strings.Contains(err.Error(), "p4ss") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
		n := 0
		for ; len(requests) > 0; n++ {
			<-requests
		}
		if n != test.requests {
			t.Errorf("%s: %d requests, want %d", test.path, n, test.requests)
		}
	}
}
