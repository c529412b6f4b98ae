package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/wschannel/wschannel"
)

// scriptPeers are servers that the scripts talk to, by name. They write what
// they hear.
var scriptPeers = map[string]func(heard io.Writer) http.Handler{
	// Echoes messages of both types, and tells all.
	"listener": func(heard io.Writer) http.Handler {
		return &wschannel.Server{
			Upgrade: func(r *http.Request) (context.Context, error) {
				user, password, ok := r.BasicAuth()
				if ok {
					fmt.Fprintf(heard, "basic %s %s\n", user, password)
				}
				for _, name := range []string{"Authorization", "X-One", "X-Many", "Sec-Websocket-Protocol"} {
					for _, value := range r.Header.Values(name) {
						fmt.Fprintf(heard, "%s: %s\n", name, value)
					}
				}
				return r.Context(), nil
			},
			Handler: func(ctx context.Context, c *wschannel.Channel) {
				for {
					m, err := c.Receive(ctx)
					if end, ok := errors.AsType[*wschannel.CloseError](err); ok {
						fmt.Fprintf(heard, "closed %d %q\n", end.Code, end.Reason)
						return
					}
					if err != nil {
						return
					}
					fmt.Fprintf(heard, "%v %q\n", m.Type, m.Data)
					c.Send(ctx, m)
				}
			},
		}
	},
	// Sends messages of both types and closes.
	"speaker": speaker(
		wschannel.Message{Type: wschannel.Text, Data: []byte("text")},
		wschannel.Message{Type: wschannel.Binary, Data: []byte{0, 0x0a, 0xff}},
		wschannel.Message{Type: wschannel.Text, Data: []byte("two\nlines")},
		wschannel.Message{Type: wschannel.Text, Data: []byte("")},
	),
	// Sends JSON, and what looks like it.
	"json": speaker(
		wschannel.Message{Type: wschannel.Text, Data: []byte(`{"b":1.50,"a":[true,{}],"b":"\u00e9 <&>"}`)},
		wschannel.Message{Type: wschannel.Text, Data: []byte(`{"not":json}`)},
		wschannel.Message{Type: wschannel.Text, Data: []byte(strings.Repeat("[", 33) + strings.Repeat("]", 33))},
		wschannel.Message{Type: wschannel.Text, Data: []byte(`"` + strings.Repeat("x", maxJSON) + `"`)},
		wschannel.Message{Type: wschannel.Text, Data: []byte(`7`)},
	),
	// Speaks a large message without end.
	"giant": func(io.Writer) http.Handler {
		return &wschannel.Server{Handler: func(ctx context.Context, c *wschannel.Channel) {
			w, err := c.NextWriter(ctx, wschannel.Text)
			for err == nil {
				_, err = io.WriteString(w, strings.Repeat("x", 64<<10))
			}
		}}
	},
	// Refuses with what would do harm on a terminal.
	"hostile": func(io.Writer) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "ws://elsewhere/\u009b31m")
			w.WriteHeader(499)
			io.WriteString(w, "\x1b[2Jgo away\r\n\u202eand \x9b31mstay there\x00\n"+strings.Repeat("x", 5000))
		})
	},
	// An HTTP proxy that opens tunnels, for those who know the password.
	"proxy": func(heard io.Writer) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Proxy-Authorization") != "Basic bWU6c2VjcmV0" {
				w.WriteHeader(http.StatusProxyAuthRequired)
				io.WriteString(w, "who are \x1b[31myou?")
				return
			}
			fmt.Fprintf(heard, "%s %s\n", r.Method, r.Host)
			server, err := net.Dial("tcp", r.Host)
			if err != nil {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			defer server.Close()
			client, buffered, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer client.Close()
			io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
			go func() {
				io.Copy(server, buffered)
				server.Close()
			}()
			io.Copy(client, server)
		})
	},
	// Never answers.
	"silent": func(io.Writer) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	},
}

func speaker(messages ...wschannel.Message) func(io.Writer) http.Handler {
	return func(io.Writer) http.Handler {
		return &wschannel.Server{Handler: func(ctx context.Context, c *wschannel.Channel) {
			for _, m := range messages {
				c.Send(ctx, m)
			}
		}}
	}
}
