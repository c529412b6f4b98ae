package rules

import (
	"fmt"
	"go/ast"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The Go code blocks of the documents run, too: their lines stand, one behind
// the other and whatever their indentation, in a test, in an example that checks
// its output, or in a declaration beside these. Blocks that are whole programs
// are built and run by TestQuickStart.

func TestSnippetsRun(t *testing.T) {
	tests := []*file{
		example(t, "p/a_test.go", "package p\n\nfunc ExampleX() {\n\tx := 1\n\tfmt.Println(x)\n\t// Output: 1\n}\n\n"+
			"func ExampleY() {\n\ty := 2\n\n\tfmt.Println(y)\n}\n\nfunc TestZ() {\n\tif z {\n\t\treturn\n\t}\n}\n\nfunc helps() { w() }\n"),
	}
	const bad = "```go\nx := 1\n```\n```go\ny := 2\n\nfmt.Println(y)\n```\n```go\nx := 1\ny := 2\n```\n" +
		"```go\nif z {\n\treturn\n}\n```\n```go\nfunc helps() { w() }\n```\n```go\npackage main\n```\n```go\nx := 1\n\tfmt.Println(x)\n```\n"
	wantComplaints(t, runningComplaints(t, "BAD.md", bad, tests),
		"BAD.md:5: ExampleY", "BAD.md:10: the block is in no test")

	var all []*file
	for _, f := range tree(t) {
		if f.isTest() {
			all = append(all, f)
		}
	}
	for _, pattern := range documents {
		names, err := filepath.Glob(filepath.Join(rootDir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			report(t, runningComplaints(t, filepath.Base(name), string(text), all))
		}
	}
}

func runningComplaints(t *testing.T, name, text string, tests []*file) []string {
	t.Helper()
	var complaints []string
	for line, code := range codeBlocks(text) {
		if strings.HasPrefix(code, "package main\n") {
			continue
		}
		wanted := trimmed(code)
		why := "the block is in no test"
		for _, f := range tests {
			where := within(f, wanted)
			if where == nil {
				continue
			}
			if why = notRun(f, where); why == "" {
				break
			}
		}
		if why != "" {
			complaints = append(complaints, fmt.Sprintf("%s:%d: %s", name, line, why))
		}
	}
	return complaints
}

// within returns the declaration of f in which the lines stand, nil if there is
// none, and the last of several.
func within(f *file, lines []string) ast.Decl {
	for i := range len(f.source) - len(lines) + 1 {
		if !slices.Equal(f.source[i:i+len(lines)], lines) {
			continue
		}
		for _, d := range f.syntax.Decls {
			if f.fset.Position(d.End()).Line > i {
				return d
			}
		}
	}
	return nil
}

// notRun returns why what is in a declaration of a test file does not run, "" if
// it does.
func notRun(f *file, d ast.Decl) string {
	fn, ok := d.(*ast.FuncDecl)
	if !ok || !strings.HasPrefix(fn.Name.Name, "Example") {
		return "" // a test, or what a test uses: the linter finds what nobody does
	}
	for _, group := range f.syntax.Comments {
		text := strings.ToLower(group.Text())
		if group.Pos() > fn.Pos() && group.End() < fn.End() &&
			(strings.HasPrefix(text, "output:") || strings.HasPrefix(text, "unordered output:")) {
			return ""
		}
	}
	return fn.Name.Name + " checks no output, so it does not run"
}

// trimmed returns the lines of a text, without indentation.
func trimmed(text string) []string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	return lines
}
