package rules

import (
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The Go code blocks of the documents (those that begin with ```go) compile:
//
//   - a block with a package clause is a file as it stands;
//   - any other is a fragment: declarations, or statements that are put into a
//     function. Its imports are those of packages in snippetImports and of the
//     public packages of this module; the variables that it uses without
//     declaring them are those in snippetParams, and it may leave its own unused.
//     What other fragments of the document declare, it may use.
var documents = []string{"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "docs/*.md"}

// mustHave lists the documents that have to be there.
var mustHave = []string{"README.md"}

// snippetImports maps the names that fragments use to import paths.
var snippetImports = map[string]string{
	"bytes": "bytes", "rand": "crypto/rand", "context": "context", "cookiejar": "net/http/cookiejar", "errors": "errors", "expvar": "expvar", "fmt": "fmt", "http": "net/http", "httptest": "net/http/httptest",
	"io": "io", "json": "encoding/json", "log": "log", "maps": "maps", "net": "net", "os": "os", "signal": "os/signal", "slices": "slices",
	"slog": "log/slog", "strings": "strings", "sync": "sync", "synctest": "testing/synctest", "testing": "testing", "atomic": "sync/atomic", "syscall": "syscall", "time": "time", "tls": "crypto/tls", "url": "net/url", "x509": "crypto/x509",
}

// snippetParams maps the variables that fragments use to their types.
var snippetParams = map[string]string{
	"ctx": "context.Context",
	"ch":  "*wschannel.Channel",
	"w":   "http.ResponseWriter",
	"r":   "*http.Request",
	"jar": "http.CookieJar",
	"t":   "*testing.T",
}

func TestSnippets(t *testing.T) {
	const bad = "# Title\n" +
		"```go\npackage main\n\nfunc main() { println(undefined1) }\n```\n" +
		"```go\nfunc f() { undefined2() }\n```\n" +
		"1. A list:\n\n   ```go\n   code, err := strings.Parse2(ctx)\n   ```\n" +
		"```sh\nnot Go\n```\n" +
		"```go\n) what\n```\n" +
		"```go\npackage p\n\nimport \"example.com/nowhere\"\n\nvar _ = nowhere.X\n```\n" +
		"```go\npackage p\n\nfunc f() { unused := 1 }\n```\n"
	wantComplaints(t, snippetComplaints(t, "BAD.md", bad),
		"BAD.md:19:1: expected statement", // what does not parse comes first
		"BAD.md:5:23: undefined: undefined1", "BAD.md:8:12: undefined: undefined2", "BAD.md:13:25: undefined: strings.Parse2",
		"BAD.md:24:8: could not import", "BAD.md:31:12: declared and not used")

	const good = "```go\npackage main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println() }\n```\n" +
		"```go\nfunc g(w http.ResponseWriter, r *http.Request) {}\n```\n" +
		"```go\nfor range 3 {\n\tif err := ctx.Err(); err != nil {\n\t\treturn err\n\t}\n}\nunused := time.Second\n```\n" +
		"```go\n// only a comment\n```\n" +
		"```go\nimport \"os/exec\"\n\nvar cmd = exec.Command(\"true\")\n```\n" +
		"```go\nif ctx.Err() != nil {\n\treturn\n}\n```\n" +
		"```go\nfunc isThere() error { return nil }\n```\n```go\nerr := isThere()\n```\n"
	wantComplaints(t, snippetComplaints(t, "GOOD.md", good))

	for _, pattern := range documents {
		names, err := filepath.Glob(filepath.Join(rootDir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		if len(names) == 0 && slices.Contains(mustHave, pattern) {
			t.Errorf("%s is missing", pattern)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			report(t, snippetComplaints(t, filepath.Base(name), string(text)))
		}
	}
}

// snippet is a Go code block.
type snippet struct {
	fset     *token.FileSet
	syntax   *ast.File
	fragment bool
	shared   bool // a fragment of declarations, which others may use
}

func snippetComplaints(t *testing.T, name, text string) []string {
	t.Helper()
	packages := packageNames(t)
	var complaints []string
	var snippets []snippet
	fset := token.NewFileSet()
	imports := []string{}
	for line, code := range codeBlocks(text) {
		s, err := parseSnippet(fset, name, line, code, packages)
		if err != nil {
			complaints = append(complaints, err.Error())
			continue
		}
		snippets = append(snippets, s)
		for _, spec := range s.syntax.Imports {
			imports = append(imports, strings.Trim(spec.Path.Value, `"`))
		}
	}
	exports := exportData(t, imports)
	for i, s := range snippets {
		files := []*ast.File{s.syntax}
		for j, other := range snippets {
			if s.fragment && other.shared && i != j {
				files = append(files, other.syntax)
			}
		}
		config := types.Config{
			Importer: importer.ForCompiler(s.fset, "gc", func(path string) (io.ReadCloser, error) {
				if exports[path] == "" {
					return nil, errors.New("it is not there or does not compile")
				}
				return os.Open(exports[path])
			}),
			Error: func(err error) {
				var e types.Error
				unused := errors.As(err, &e) && e.Soft
				if (!unused || !s.fragment) && !slices.Contains(complaints, err.Error()) {
					complaints = append(complaints, err.Error())
				}
			},
		}
		config.Check("snippet", s.fset, files, nil) // reports to Error
	}
	return complaints
}

// codeBlocks yields the Go code blocks of a Markdown text, each with the number
// of the line that it starts on.
func codeBlocks(text string) func(yield func(int, string) bool) {
	return func(yield func(int, string) bool) {
		inside, isGo, start := false, false, 0
		var code strings.Builder
		n := 0
		for line := range strings.Lines(text) {
			n++
			fence, ok := strings.CutPrefix(strings.TrimSpace(line), "```")
			switch {
			case ok && !inside:
				inside, isGo, start = true, fence == "go", n+1
				code.Reset()
			case ok:
				inside = false
				if isGo && !yield(start, code.String()) {
					return
				}
			case inside:
				code.WriteString(line)
			}
		}
	}
}

// parseSnippet parses a code block that starts on a line of the named document,
// and completes it if it is a fragment. packages maps the names of packages to
// their import paths.
func parseSnippet(fset *token.FileSet, name string, line int, code string, packages map[string]string) (snippet, error) {
	parse := func(before, after string) (snippet, error) {
		s := snippet{fset: fset, fragment: before != ""}
		var err error
		src := fmt.Sprintf("%s\n//line %s:%d:1\n%s\n%s", before, name, line, code, after)
		s.syntax, err = parser.ParseFile(s.fset, name, src, 0)
		return s, err
	}
	if s, err := parse("", ""); err == nil {
		return s, nil
	}
	// A fragment is parsed to see what it uses, and again with that around it.
	const clause = "package snippet;"
	s, err := parse(clause, "")
	if err == nil {
		imports, _ := surroundings(s.syntax, packages, nil)
		s, err = parse(clause+imports, "")
		s.shared = true
		return s, err
	}
	if s, err = parse(clause+"func _() {", "}"); err != nil {
		return s, err
	}
	imports, params := surroundings(s.syntax, packages, snippetParams)
	if returnsValue(s.syntax) {
		return parse(clause+imports+"func _("+params+") error {", "return nil }")
	}
	return parse(clause+imports+"func _("+params+") {", "}")
}

// surroundings returns the imports and the parameters of which a fragment uses
// the names without declaring them.
func surroundings(f *ast.File, packages, variables map[string]string) (imports, params string) {
	done := map[string]bool{}
	use := func(name string) {
		if p := packages[name]; p != "" && !done[name] {
			imports += fmt.Sprintf("import %q;", p)
		}
		done[name] = true
	}
	for _, id := range f.Unresolved {
		typ := variables[id.Name]
		switch {
		case typ == "":
			use(id.Name)
		case !done[id.Name]:
			done[id.Name] = true
			params += id.Name + " " + typ + ","
			pkg, _, _ := strings.Cut(strings.TrimPrefix(typ, "*"), ".")
			use(pkg)
		}
	}
	return imports, params
}

// returnsValue says whether the statements of a fragment return a value, which
// is then an error.
func returnsValue(f *ast.File) bool {
	found := false
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.ReturnStmt:
			found = found || len(n.Results) > 0
		}
		return true
	})
	return found
}

// packageNames maps the names that fragments use for packages to import paths.
func packageNames(t *testing.T) map[string]string {
	t.Helper()
	names := map[string]string{}
	for name, p := range snippetImports {
		names[name] = p
	}
	for _, dir := range publicPackages(tree(t)) {
		p := importPath(dir)
		names[path.Base(p)] = p
	}
	return names
}

// exportData returns the files that hold what the compiler knows of packages.
func exportData(t *testing.T, packages []string) map[string]string {
	t.Helper()
	exports := map[string]string{}
	if len(packages) == 0 {
		return exports
	}
	args := append([]string{"list", "-e", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}"}, packages...)
	for line := range strings.Lines(goCommand(t, nil, args...)) {
		p, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		exports[p] = file
	}
	return exports
}
