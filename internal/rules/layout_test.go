package rules

import (
	"fmt"
	"go/ast"
	"path"
	"slices"
	"strings"
	"testing"
)

// The longest a file may be, in lines. One that outgrows this holds two concepts.
const (
	maxLines     = 450
	maxTestLines = 650
)

// vague are names that say nothing about what is inside.
var vague = []string{"util", "utils", "common", "types", "helper", "helpers", "misc"}

func TestLayout(t *testing.T) {
	long := example(t, "p/long.go", "package p\n"+strings.Repeat("\n", maxLines))
	longTest := example(t, "p/long_test.go", "package p\n"+strings.Repeat("\n", maxTestLines))
	limit := example(t, "p/limit.go", "package p\n"+strings.Repeat("\n", maxLines-1))
	wantComplaints(t, layoutComplaints([]*file{
		long, longTest, limit,
		example(t, "p/util.go", "package p\n"),
		example(t, "p/frame_helpers_test.go", "package p\n"),
		example(t, "p/typescript.go", "package p\n"),
		example(t, "common/a.go", "package common\n"),
	}), "p/long.go has 451 lines", "p/long_test.go has 651 lines", "p/util.go: ", "p/frame_helpers_test.go: ", "common/a.go: the package")

	report(t, layoutComplaints(tree(t)))
}

func layoutComplaints(files []*file) []string {
	var complaints []string
	add := func(format string, args ...any) { complaints = append(complaints, fmt.Sprintf(format, args...)) }
	for _, f := range files {
		limit := maxLines
		if f.isTest() {
			limit = maxTestLines
		}
		if f.lines > limit {
			add("%s has %d lines; at most %d: split it by concept", f.path, f.lines, limit)
		}
		for word := range strings.SplitSeq(strings.TrimSuffix(path.Base(f.path), ".go"), "_") {
			if slices.Contains(vague, word) {
				add("%s: the name does not say what is in the file", f.path)
			}
		}
		if name := strings.TrimSuffix(f.syntax.Name.Name, "_test"); slices.Contains(vague, name) {
			add("%s: the package name %s does not say what is in it", f.path, name)
		}
	}
	return complaints
}

func TestNoSleepInTests(t *testing.T) {
	wantComplaints(t, sleepComplaints([]*file{
		example(t, "p/a_test.go", "package p\nimport \"time\"\nfunc f() { time.Sleep(1) }\n"),
		example(t, "p/b_test.go", "package p\nimport (\"time\"; \"testing/synctest\")\nfunc f() { time.Sleep(1) }\nvar _ = synctest.Test\n"),
		example(t, "p/c.go", "package p\nimport \"time\"\nfunc f() { time.Sleep(1) }\n"),
	}), "p/a_test.go:3:12: ")

	report(t, sleepComplaints(tree(t)))
}

// sleepComplaints finds tests that wait for an event by hoping that it happens
// in time. Files that test in the fake time of testing/synctest may sleep: it is
// exact there.
func sleepComplaints(files []*file) []string {
	var complaints []string
	for _, f := range files {
		if !f.isTest() || slices.Contains(f.imports(), "testing/synctest") {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "Sleep" {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" {
					complaints = append(complaints, fmt.Sprintf("%s: a test must wait for what it waits for, or use testing/synctest", f.at(s)))
				}
			}
			return true
		})
	}
	return complaints
}
