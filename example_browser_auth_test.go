//go:build !js

package wschannel_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"sync"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/status"
)

// A page's channel brings the cookies of its server along. The server looks at
// the session as for any request; that the page is its own, the check of the
// Origin has made sure of before.
func ExampleServer_cookies() {
	type userKey struct{}
	sessions := map[string]string{} // session to user
	server := &wschannel.Server{
		Upgrade: func(r *http.Request) (context.Context, error) {
			cookie, err := r.Cookie("session")
			if err != nil || sessions[cookie.Value] == "" {
				return nil, &wschannel.HandshakeError{StatusCode: http.StatusUnauthorized, Body: []byte("log in first\n")}
			}
			return context.WithValue(r.Context(), userKey{}, sessions[cookie.Value]), nil
		},
		Handler: func(ctx context.Context, ch *wschannel.Channel) {
			ch.SendText(ctx, fmt.Sprint("hello, ", ctx.Value(userKey{})))
		},
	}

	sessions["s3cret"] = "ada"
	mux := http.NewServeMux()
	mux.Handle("/ws", server)
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "s3cret", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	})
	url, stop := startServer(mux)
	defer stop()

	// What a browser does by itself.
	jar, _ := cookiejar.New(nil)
	browser := &http.Client{Jar: jar}
	own := strings.Replace(url, "ws", "http", 1)
	connect := func(origin string) {
		d := wschannel.Dialer{HTTPClient: browser, Header: http.Header{"Origin": {origin}}}
		ch, _, err := d.Connect(context.Background(), url+"/ws")
		if refused, ok := errors.AsType[*wschannel.HandshakeError](err); ok {
			fmt.Println("refused with", refused.StatusCode)
			return
		}
		m, _ := ch.Receive(context.Background())
		fmt.Println(string(m.Data))
		ch.Close()
	}
	connect(own)
	browser.Get(own + "/login")
	connect(own)
	connect("https://evil.example") // has the cookie, too
	// Output:
	// refused with 401
	// hello, ada
	// refused with 403
}

// tickets are good for one channel each, and not for long.
type tickets struct {
	mu    sync.Mutex
	users map[string]string
}

// issue returns a new ticket for a user.
func (t *tickets) issue(user string) string {
	ticket := rand.Text()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.users == nil {
		t.users = make(map[string]string)
	}
	t.users[ticket] = user
	time.AfterFunc(30*time.Second, func() { t.redeem(ticket) })
	return ticket
}

// redeem returns the user of a ticket, once.
func (t *tickets) redeem(ticket string) (user string, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	user, ok = t.users[ticket]
	delete(t.users, ticket)
	return user, ok
}

// authenticate receives the first message of a channel, which has to be a
// ticket. Otherwise it closes the channel and returns false.
func (t *tickets) authenticate(ctx context.Context, ch *wschannel.Channel) (user string, ok bool) {
	short, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	m, err := ch.Receive(short)
	if err == nil {
		user, ok = t.redeem(string(m.Data))
	}
	if !ok {
		ch.CloseWith(status.PolicyViolation, "a ticket is needed")
	}
	return user, ok
}

// A ticket in the first message works from any page, without cookies. It is
// asked for in an ordinary request, which can carry any header.
func ExampleServer_ticket() {
	var issued tickets
	mux := http.NewServeMux()
	mux.HandleFunc("POST /ticket", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer of ada" {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, issued.issue("ada"))
	})
	mux.Handle("/ws", &wschannel.Server{
		Handler: func(ctx context.Context, ch *wschannel.Channel) {
			user, ok := issued.authenticate(ctx, ch)
			if !ok {
				return
			}
			ch.SendText(ctx, "hello, "+user)
		},
		MaxChannels: 10_000, // whoever has not said who he is takes room, too
		AcceptOptions: wschannel.AcceptOptions{
			Origins: []string{"*"}, // no cookie is looked at
			Options: wschannel.Options{MessageLimit: 64 << 10},
		},
	})
	url, stop := startServer(mux)
	defer stop()

	connect := func(ticket string) {
		ctx := context.Background()
		ch, err := wschannel.Connect(ctx, url+"/ws", nil)
		if err != nil {
			log.Fatal(err)
		}
		defer ch.Close()
		ch.SendText(ctx, ticket)
		m, err := ch.Receive(ctx)
		fmt.Println(string(m.Data), err)
	}
	request, _ := http.NewRequest("POST", strings.Replace(url, "ws", "http", 1)+"/ticket", nil)
	request.Header.Set("Authorization", "Bearer of ada")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	response.Body.Close()
	ticket := string(body)
	connect(ticket)
	connect(ticket)
	// Output:
	// hello, ada <nil>
	//  wschannel: closed by the peer: 1008 policy violation: "a ticket is needed"
}

// offered returns the token that a page has offered as if it were a subprotocol.
func offered(r *http.Request) string {
	for _, field := range r.Header.Values("Sec-WebSocket-Protocol") {
		for p := range strings.SplitSeq(field, ",") {
			if token, ok := strings.CutPrefix(strings.TrimSpace(p), "token."); ok {
				return token
			}
		}
	}
	return ""
}

// A page can set one header of the handshake: the subprotocols that it offers.
// A token may be among them. The server selects another one, for what it selects
// it sends back.
func ExampleServer_tokenAsProtocol() {
	type userKey struct{}
	server := &wschannel.Server{
		Upgrade: func(r *http.Request) (context.Context, error) {
			if offered(r) != "dGhlIHRva2Vu" {
				return nil, &wschannel.HandshakeError{StatusCode: http.StatusUnauthorized}
			}
			return context.WithValue(r.Context(), userKey{}, "ada"), nil
		},
		Handler: func(ctx context.Context, ch *wschannel.Channel) {
			ch.SendText(ctx, fmt.Sprint("hello, ", ctx.Value(userKey{})))
		},
		AcceptOptions: wschannel.AcceptOptions{Options: wschannel.Options{Protocols: []string{"chat.v1"}}},
	}
	url, stop := startServer(server)
	defer stop()

	ctx := context.Background()
	for _, token := range []string{"dGhlIHRva2Vu", "bm8gdG9rZW4"} {
		ch, err := wschannel.Connect(ctx, url, &wschannel.Options{Protocols: []string{"chat.v1", "token." + token}})
		if err != nil {
			fmt.Println(err)
			continue
		}
		m, _ := ch.Receive(ctx)
		fmt.Println(string(m.Data), "over", ch.Protocol())
		ch.Close()
	}
	// Output:
	// hello, ada over chat.v1
	// wschannel: handshake failed with status 401: the server must answer with status 101
}
