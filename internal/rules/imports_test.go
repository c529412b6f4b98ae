package rules

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
)

// layer says what a package of the root module may import besides the standard
// library. A pattern such as "net" also stands for what is below it.
type layer struct {
	own       []string // folders of this module
	forbidden []string // packages of the standard library
	pure      bool     // starts no goroutine
}

// layers has every package of the root module. Its own imports point downwards
// only: wire, proto, the engine, the exported API.
var layers = map[string]layer{
	"status":                    {},
	"streamchannel":             {own: []string{"status"}},
	"streamchannel/channeltest": {own: []string{"streamchannel"}},
	"internal/wire":             {own: []string{"status"}, forbidden: []string{"io", "net", "os", "sync", "time", "context"}, pure: true},
	"internal/proto":            {own: []string{"internal/wire", "status"}, forbidden: []string{"io", "net", "os", "sync", "time", "context"}, pure: true},
	"internal/handshake":        {own: []string{"status"}, forbidden: []string{"net/http", "net/textproto", "os", "sync", "time", "context"}, pure: true},
	"internal/epoll":            {forbidden: []string{"net/http", "context"}},
	"internal/deflate":          {forbidden: []string{"net", "os", "time", "context"}, pure: true},
	"internal/faultlink":        {},
	"internal/rules":            {},
	"internal/guides":           {},
	"reconnect":                 {own: []string{".", "streamchannel", "status", "internal/handshake"}}, // for what can never connect
	// Tests in browsers: the program that runs them, and what they connect to.
	"internal/wasmtest":         {own: []string{".", "status", "internal/wasmtest/servers"}},
	"internal/wasmtest/run":     {own: []string{"internal/wasmtest/servers"}},
	"internal/wasmtest/servers": {own: []string{".", "status", "streamchannel", "internal/wire"}},
	"internal/wasmtest/minimal": {own: []string{"."}},
	"internal/soak":             {own: []string{".", "status"}},
	"examples/chat":             {own: []string{".", "reconnect", "streamchannel", "status"}},
	".":                         {own: []string{"status", "streamchannel", "internal/wire", "internal/proto", "internal/handshake", "internal/deflate", "internal/epoll"}},
}

// thirdParty lists the modules that the root module may require. A user's go.mod
// gets each of them, so each needs a reason in ARCHITECTURE.md.
var thirdParty = []string{
	"github.com/klauspost/compress",
	"github.com/segmentio/asm",
	"golang.org/x/sys", // required by asm
}

// A browser program pays for everything that is linked: these packages must not
// reach, even indirectly, what jsForbidden lists.
var (
	jsPackages  = []string{".", "reconnect", "status", "streamchannel", "internal/wire", "internal/proto", "internal/handshake"}
	jsForbidden = []string{
		"net", "net/http", "net/textproto", "crypto/tls", "log/slog",
		"compress/flate", "github.com/klauspost/compress/flate", importPath("internal/deflate"),
	}
)

func TestImports(t *testing.T) {
	bad := map[string]layer{
		"a": {own: []string{"b"}, forbidden: []string{"net"}, pure: true},
		"b": {},
	}
	files := []*file{
		example(t, "a/a.go", `package a
import (
	"example.com/x"
	"github.com/wschannel/wschannel/b"
	"github.com/wschannel/wschannel/c"
	"net/http"
)
func f() { go f() }
`),
		example(t, "a/a_test.go", `package a
import (
	"example.com/x"
	"github.com/wschannel/wschannel/c"
	"net/http"
)`),
		example(t, "c/c.go", `package c`),
	}
	wantComplaints(t, importComplaints(files, bad),
		"a/a.go imports example.com/x", "a/a.go imports c", "a/a.go imports net/http", "a/a.go:8:12: starts a goroutine",
		"a/a_test.go imports example.com/x",
		"c is not in the table", "b is in the table")

	report(t, importComplaints(tree(t), layers))
}

func importComplaints(files []*file, layers map[string]layer) []string {
	var complaints []string
	add := func(format string, args ...any) { complaints = append(complaints, fmt.Sprintf(format, args...)) }

	var present []string
	for _, f := range files {
		if !f.inRoot() {
			continue
		}
		dir := f.dir()
		l, known := layers[dir]
		if !known && !slices.Contains(present, dir) {
			add("package %s is not in the table of layers (internal/rules/imports_test.go)", dir)
		}
		present = append(present, dir)
		for _, p := range f.imports() {
			own, isOwn := strings.CutPrefix(p+"/", rootModule+"/")
			own = path.Clean(own)
			first, _, _ := strings.Cut(p, "/")
			switch {
			case isOwn && !f.isTest() && known && !slices.Contains(l.own, own):
				add("%s imports %s, which its layer must not know", f.path, own)
			case !isOwn && strings.Contains(first, ".") && !matchesAny(p, thirdParty):
				add("%s imports %s, and the root module requires no such module", f.path, p)
			case !isOwn && !f.isTest() && matchesAny(p, l.forbidden):
				add("%s imports %s, which is not for this layer", f.path, p)
			}
		}
		if l.pure && !f.isTest() {
			ast.Inspect(f.syntax, func(n ast.Node) bool {
				if g, ok := n.(*ast.GoStmt); ok {
					add("%s: starts a goroutine, which is not for this layer", f.at(g))
				}
				return true
			})
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(layers)) {
		if !slices.Contains(present, dir) {
			add("package %s is in the table of layers and nowhere else (internal/rules/imports_test.go)", dir)
		}
	}
	return complaints
}

// matchesAny says whether a path is one of the patterns or below one.
func matchesAny(p string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		return p == pattern || strings.HasPrefix(p, pattern+"/")
	})
}

func TestBrowserImports(t *testing.T) {
	// The standard library has the bad example.
	wantComplaints(t, browserComplaints(t, []string{"net/url", "net/textproto"}),
		"net/textproto links net ")

	var packages []string
	for _, dir := range jsPackages {
		packages = append(packages, importPath(dir))
	}
	report(t, browserComplaints(t, packages))
}

func browserComplaints(t *testing.T, packages []string) []string {
	t.Helper()
	args := append([]string{"list", "-json=ImportPath,Deps"}, packages...)
	list := json.NewDecoder(strings.NewReader(goCommand(t, []string{"GOOS=js", "GOARCH=wasm"}, args...)))
	var complaints []string
	for {
		var p struct {
			ImportPath string
			Deps       []string
		}
		if err := list.Decode(&p); err == io.EOF {
			return complaints
		} else if err != nil {
			t.Fatal(err)
		}
		for _, dep := range p.Deps {
			if slices.Contains(jsForbidden, dep) {
				complaints = append(complaints, fmt.Sprintf("in the browser %s links %s (go list -deps tells through what)", p.ImportPath, dep))
			}
		}
	}
}
