package rules

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// rootModule is the path of the root module.
const rootModule = "github.com/wschannel/wschannel"

// rootDir is the root of the repository.
const rootDir = "../.."

// file is a Go file, for whatever platform it is.
type file struct {
	path   string // relative to the root, with slashes
	module string // the folder of its module, "." for the root module
	lines  int
	source []string // its lines, without indentation
	fset   *token.FileSet
	syntax *ast.File
}

func (f *file) dir() string  { return path.Dir(f.path) }
func (f *file) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }
func (f *file) inRoot() bool { return f.module == "." }
func (f *file) isMain() bool { return f.syntax.Name.Name == "main" }
func (f *file) at(n ast.Node) string {
	p := f.fset.Position(n.Pos())
	return p.String()
}

// imports returns the paths that a file imports.
func (f *file) imports() []string {
	var paths []string
	for _, spec := range f.syntax.Imports {
		paths = append(paths, strings.Trim(spec.Path.Value, "\"`"))
	}
	return paths
}

func parseFile(name string, src []byte) (*file, error) {
	f := &file{path: name, module: ".", lines: bytes.Count(src, []byte("\n")), source: trimmed(string(src)), fset: token.NewFileSet()}
	var err error
	f.syntax, err = parser.ParseFile(f.fset, name, src, parser.ParseComments)
	return f, err
}

// example parses a file that a rule is tested on.
func example(t *testing.T, name, src string) *file {
	t.Helper()
	f, err := parseFile(name, []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// tree returns all Go files of the repository but those in testdata folders.
func tree(t *testing.T) []*file {
	t.Helper()
	files, err := readTree()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

var readTree = sync.OnceValues(func() ([]*file, error) {
	var files []*file
	err := walk(func(name string) error {
		if path.Ext(name) != ".go" {
			return nil
		}
		src, err := os.ReadFile(filepath.Join(rootDir, name))
		if err != nil {
			return err
		}
		f, err := parseFile(name, src)
		if err != nil {
			return err
		}
		f.module = moduleDir(f.dir())
		files = append(files, f)
		return nil
	})
	return files, err
})

// walk calls visit with the path of every file that the go command would look at.
func walk(visit func(name string) error) error {
	return filepath.WalkDir(rootDir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(rootDir, p)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		if !d.IsDir() {
			return visit(name)
		}
		base := path.Base(name)
		if name != "." && (base == "testdata" || base == "node_modules" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")) {
			return filepath.SkipDir
		}
		return nil
	})
}

// moduleDir returns the closest folder at or above dir that has a go.mod.
func moduleDir(dir string) string {
	for ; dir != "."; dir = path.Dir(dir) {
		if _, err := os.Stat(filepath.Join(rootDir, dir, "go.mod")); err == nil {
			break
		}
	}
	return dir
}

// publicPackages returns the folders of the packages of the root module that
// other people can import.
func publicPackages(files []*file) []string {
	var dirs []string
	for _, f := range files {
		if f.inRoot() && isPublic(f) {
			dirs = append(dirs, f.dir())
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

func isPublic(f *file) bool {
	return !f.isTest() && !f.isMain() && !slices.Contains(strings.Split(f.dir(), "/"), "internal")
}

// importPath returns the import path of a folder of the root module.
func importPath(dir string) string { return path.Join(rootModule, dir) }

// goCommand runs the go command in the root of the repository.
func goCommand(t *testing.T, env []string, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = rootDir
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s go %s: %v\n%s", strings.Join(env, " "), strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}

// report fails the test with one line per complaint.
func report(t *testing.T, complaints []string) {
	t.Helper()
	for _, c := range complaints {
		t.Error(c)
	}
}

// wantComplaints checks that a rule finds what is wrong with a bad example:
// there is one complaint for each of the words, in order, which contains it.
func wantComplaints(t *testing.T, got []string, words ...string) {
	t.Helper()
	ok := slices.EqualFunc(got, words, strings.Contains)
	if !ok {
		t.Errorf("complaints about the bad example:\n%s\nwant one for each of %q", strings.Join(got, "\n"), words)
	}
}
