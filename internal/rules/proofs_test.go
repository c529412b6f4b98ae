package rules

import (
	"fmt"
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The documents that say what is proved by which test.
const (
	behavioursDoc  = "docs/behaviours.md"
	conformanceDoc = "docs/conformance.md"
	compressionDoc = "docs/compression.md"
)

// What the documents say where no test is named.
const (
	notYet = "not yet" // begins the last cell of a row
	noUse  = "What Go has no use for"
)

// sections are those of RFC 6455 that ask something of an endpoint.
var sections = []string{
	"3", "4.1", "4.2.1", "4.2.2", "4.3", "4.4", "5.1", "5.2", "5.3", "5.4", "5.5", "5.5.1", "5.5.2", "5.5.3", "5.6", "5.7", "5.8",
	"6.1", "6.2", "7.1.1", "7.1.2", "7.1.3", "7.1.4", "7.1.5", "7.1.6", "7.1.7", "7.2.1", "7.2.2", "7.2.3", "7.3", "7.4.1", "7.4.2",
	"8.1", "9.1", "10.2", "10.3", "10.4", "10.5", "10.6", "10.7",
}

// deflateSections are those of RFC 7692.
var deflateSections = []string{"5", "6", "6.1", "6.2", "7.1", "7.1.1", "7.1.2", "7.2.1", "7.2.2", "7.2.3", "8"}

// ids are those of the checklist.
func ids() (all []string) {
	for i := range 173 {
		all = append(all, fmt.Sprintf("T%03d", i+1))
	}
	for i := range 30 {
		all = append(all, fmt.Sprintf("X%02d", i+1))
	}
	return all
}

// A checklist is a document with tables, and what it speaks of.
type checklist struct {
	name, text string
	tests      map[string]*testFile // by path
}

// A testFile is a file of tests: what it declares, and its text.
type testFile struct {
	funcs []string
	text  string
}

// A tableRow is a row of a table under a heading.
type tableRow struct {
	line    int
	heading string
	cells   []string
}

func (c *checklist) rows() (rows []tableRow) {
	heading, n := "", 0
	for line := range strings.Lines(c.text) {
		n++
		line = strings.TrimSpace(line)
		if h, ok := strings.CutPrefix(line, "## "); ok {
			heading = h
		}
		if inner, ok := strings.CutPrefix(line, "|"); ok && !strings.HasPrefix(line, "| ---") {
			var cells []string
			for cell := range strings.SplitSeq(strings.TrimSuffix(inner, "|"), "|") {
				cells = append(cells, strings.TrimSpace(cell))
			}
			rows = append(rows, tableRow{n, heading, cells})
		}
	}
	return rows
}

var (
	// A test is cited as [TestName], and a definition tells the file.
	citation   = regexp.MustCompile(`\[((?:Test|Fuzz|Example)\w*)\](:?)`)
	definition = regexp.MustCompile(`(?m)^\[(\w+)\]: (\S+)$`)
	inlineLink = regexp.MustCompile(`\]\(([^)#]+)`)
)

// files returns the file of each test that the document defines.
func (c *checklist) files() map[string]string {
	files := map[string]string{}
	for _, m := range definition.FindAllStringSubmatch(c.text, -1) {
		files[m[1]] = path.Join(path.Dir(c.name), m[2])
	}
	return files
}

// cited returns the tests that a text cites.
func cited(text string) (names []string) {
	for _, m := range citation.FindAllStringSubmatch(text, -1) {
		if m[2] == "" {
			names = append(names, m[1])
		}
	}
	return names
}

// linkComplaints checks that every test and every file exists that a document
// names. exists tells of a path in the repository.
func (c *checklist) linkComplaints(exists func(name string) bool) (complaints []string) {
	add := func(format string, args ...any) {
		complaints = append(complaints, c.name+": "+fmt.Sprintf(format, args...))
	}
	files := c.files()
	used := map[string]bool{}
	for _, name := range cited(c.text) {
		if !used[name] && files[name] == "" {
			add("[%s] has no definition that tells its file", name)
		}
		used[name] = true
	}
	for _, m := range definition.FindAllStringSubmatch(c.text, -1) {
		name, file := m[1], files[m[1]]
		switch test := c.tests[file]; {
		case !used[name]:
			add("[%s] is defined and not used", name)
		case test == nil:
			add("%s is no file of tests", file)
		case !slices.Contains(test.funcs, name):
			add("there is no %s in %s", name, file)
		}
	}
	for _, m := range inlineLink.FindAllStringSubmatch(c.text, -1) {
		if target := path.Join(path.Dir(c.name), m[1]); !strings.Contains(m[1], "://") && !exists(target) {
			add("%s does not exist", target)
		}
	}
	return complaints
}

// idComplaints checks that every id has one row, and that the tests of the row
// know of it.
func (c *checklist) idComplaints(want []string) (complaints []string) {
	add := func(r tableRow, format string, args ...any) {
		complaints = append(complaints, fmt.Sprintf("%s:%d: %s: %s", c.name, r.line, r.cells[0], fmt.Sprintf(format, args...)))
	}
	files := c.files()
	seen := map[string]bool{}
	for _, r := range c.rows() {
		id, last := r.cells[0], r.cells[len(r.cells)-1]
		switch {
		case id == "Id":
			continue
		case !slices.Contains(want, id):
			add(r, "is no id")
			continue
		case seen[id]:
			add(r, "has a row already")
		case len(r.cells) != 3 || r.cells[1] == "" || last == "":
			add(r, "the row needs a behaviour and a test, or a reason for none")
		}
		seen[id] = true
		mention := regexp.MustCompile(`\b` + id + `\b`)
		tests := cited(last)
		switch {
		case r.heading == noUse:
		case strings.HasPrefix(last, notYet):
			for file, test := range c.tests {
				if mention.MatchString(test.text) {
					add(r, "is said to have no test, and %s mentions it", file)
				}
			}
		case len(tests) == 0:
			add(r, "cites no test, and does not say %q", notYet)
		}
		if r.heading == noUse {
			continue
		}
		for _, name := range tests {
			if test := c.tests[files[name]]; test != nil && !mention.MatchString(test.text) {
				add(r, "is not mentioned in %s, the file of %s", files[name], name)
			}
		}
	}
	for _, id := range want {
		if !seen[id] {
			complaints = append(complaints, c.name+": there is no row for "+id)
		}
	}
	return complaints
}

// sectionComplaints checks that every section is there, and that every row says
// how it is proved or why not.
func (c *checklist) sectionComplaints(want []string) (complaints []string) {
	found := map[string]bool{}
	for _, r := range c.rows() {
		number, _, _ := strings.Cut(r.heading, " ")
		if r.cells[0] == "Asked for" {
			continue
		}
		found[number] = true
		if len(r.cells) != 3 || slices.Contains(r.cells, "") {
			complaints = append(complaints, fmt.Sprintf("%s:%d: the row needs what is asked for, what is done, and a test or a reason for none", c.name, r.line))
		}
	}
	for _, section := range want {
		if !found[section] {
			complaints = append(complaints, c.name+": there is no row for section "+section)
		}
	}
	return complaints
}

func TestProofs(t *testing.T) {
	bad := &checklist{
		name: "docs/bad.md",
		text: "# Title\n" +
			"## One\n" +
			"| Id | Behaviour | Test |\n| --- | --- | --- |\n" +
			"| T1 | good | [TestA], [TestB] |\n" + // line 5
			"| T2 | the file does not know it | [TestA] |\n" +
			"| T2 | twice | [TestGone] |\n" +
			"| T3 | known to a file | not yet: later |\n" +
			"| T4 | | [TestA] |\n" +
			"| T5 | neither test nor reason | later |\n" + // line 10
			"| T6 | unknown | [TestA] |\n" +
			"## " + noUse + "\n" +
			"| T7 | good | no such thing in Go, see [TestA] and [gone](gone.md), [there](there.md#x) |\n" +
			"\n[TestA]: ../a_test.go\n[TestB]: ../b_test.go\n[TestC]: ../a_test.go\n[TestGone]: ../a_test.go\n",
		tests: map[string]*testFile{
			"a_test.go": {[]string{"TestA"}, "// T1, T3, T4, T12"},
			"b_test.go": {[]string{"TestX"}, "// T1 X1"},
		},
	}
	wantComplaints(t, bad.linkComplaints(func(name string) bool { return name == "docs/there.md" }),
		"there is no TestB in b_test.go", "[TestC] is defined and not used", "there is no TestGone in a_test.go", "docs/gone.md does not exist")
	wantComplaints(t, bad.idComplaints([]string{"T1", "T2", "T3", "T4", "T5", "T7", "T8"}),
		":6: T2: is not mentioned in a_test.go", ":7: T2: has a row already", ":7: T2: is not mentioned", ":8: T3: is said to have no test, and a_test.go",
		":9: T4: the row needs", ":10: T5: cites no test", ":11: T6: is no id", "no row for T8")
	undefined := &checklist{name: "docs/u.md", text: "[TestA] and [TestA] again\n[TestB]: ../c_test.go\n[TestB]"}
	wantComplaints(t, undefined.linkComplaints(nil), "[TestA] has no definition", "c_test.go is no file of tests")
	table := &checklist{name: "docs/s.md", text: "## 1.2 Title\n| Asked for | Here | Tests |\n| a | b | [TestA] |\n## 1.3 Title\n| a | b | |\n## 1.4 Title\n"}
	wantComplaints(t, table.sectionComplaints([]string{"1.2", "1.3", "1.4"}), "docs/s.md:5: the row needs", "no row for section 1.4")

	tests := testFiles(t)
	exists := func(name string) bool {
		_, err := os.Stat(filepath.Join(rootDir, name))
		return err == nil
	}
	for _, name := range []string{behavioursDoc, conformanceDoc, compressionDoc} {
		text, err := os.ReadFile(filepath.Join(rootDir, name))
		if err != nil {
			t.Fatal(err)
		}
		c := &checklist{name, string(text), tests}
		report(t, c.linkComplaints(exists))
		switch name {
		case behavioursDoc:
			report(t, c.idComplaints(ids()))
		case conformanceDoc:
			report(t, c.sectionComplaints(sections))
		case compressionDoc:
			report(t, c.sectionComplaints(deflateSections))
		}
	}
}

// testFiles returns the tests of the repository but those of its rules.
func testFiles(t *testing.T) map[string]*testFile {
	t.Helper()
	tests := map[string]*testFile{}
	for _, f := range tree(t) {
		if !f.isTest() || f.dir() == "internal/rules" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(rootDir, f.path))
		if err != nil {
			t.Fatal(err)
		}
		test := &testFile{text: string(text)}
		for _, decl := range f.syntax.Decls {
			if d, ok := decl.(*ast.FuncDecl); ok && d.Recv == nil {
				test.funcs = append(test.funcs, d.Name.Name)
			}
		}
		tests[f.path] = test
	}
	return tests
}
