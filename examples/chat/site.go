//go:build !js

package main

import (
	"bytes"
	"compress/gzip"
	"embed"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed page
var pages embed.FS

const noRoom = "a room is called with a-z, 0-9 and -, at most 24 of them"

// policy allows the page what is its own, and to run WebAssembly. No code is
// made of text.
const policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// site serves the page, what it needs, and the rooms. A room's page and its
// channel have the same path.
func site(rooms http.Handler, client, wasmExec []byte) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/lobby", http.StatusFound)
	})
	mux.HandleFunc("GET /{room}", func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
			rooms.ServeHTTP(w, r)
		case !isRoom(r.PathValue("room")):
			http.Error(w, noRoom, http.StatusNotFound)
		default:
			http.ServeFileFS(w, r, pages, "page/index.html")
		}
	})
	files, err := fs.Sub(pages, "page")
	if err != nil {
		panic(err) // it is compiled in
	}
	mux.Handle("GET /-/", http.StripPrefix("/-/", http.FileServerFS(files)))
	mux.Handle("GET /-/chat.wasm", made("chat.wasm", client))
	mux.Handle("GET /-/wasm_exec.js", made("wasm_exec.js", wasmExec))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		mux.ServeHTTP(w, r)
	})
}

// made serves a file that is not in the page's folder, compressed where that is
// understood: the client is then a fourth.
func made(name string, content []byte) http.Handler {
	var zipped bytes.Buffer
	zip := gzip.NewWriter(&zipped)
	zip.Write(content)
	zip.Close()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path.Ext(name) == ".wasm" {
			w.Header().Set("Content-Type", "application/wasm")
		}
		body := content
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			w.Header().Set("Content-Encoding", "gzip")
			body = zipped.Bytes()
		}
		w.Header().Add("Vary", "Accept-Encoding")
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(body))
	})
}
