package rules

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the API listings in testdata/api anew")

// apiDir has one listing for each public package: what go doc -all prints. What
// the root package has in the browser beyond that is in browserListing.
const apiDir = "testdata/api"

func TestAPI(t *testing.T) {
	wantComplaints(t, apiComplaints(map[string]string{"same": "x\n", "new": "x\n", "changed": "a\nb\n"}, map[string]string{"same": "x\n", "gone": "x\n", "changed": "a\nc\n"}),
		"  a\n- c\n+ b\n", "gone is no longer", "new is not yet")
	if got, want := beyond("func a()\n\nfunc b()\n    text\ntype c int\n", "func c()\n\nfunc a()\n"), "func b()\ntype c int\n"; got != want {
		t.Errorf("beyond returns %q, want %q", got, want)
	}

	current := map[string]string{}
	for _, dir := range publicPackages(tree(t)) {
		// One platform, so that the listing does not depend on who makes it.
		current[listingName(dir)] = goCommand(t, []string{"GOOS=linux", "GOARCH=amd64"}, "doc", "-all", importPath(dir))
	}
	browser := goCommand(t, []string{"GOOS=js", "GOARCH=wasm"}, "doc", "-all", rootModule)
	current[browserListing] = beyond(browser, current[listingName(".")])
	if *update {
		writeListings(t, current)
	}
	recorded := map[string]string{}
	names, err := filepath.Glob(filepath.Join(apiDir, "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		recorded[filepath.Base(name)] = string(text)
	}
	if complaints := apiComplaints(current, recorded); len(complaints) > 0 {
		report(t, complaints)
		t.Error("if the change of the API is meant: go test ./internal/rules -run TestAPI -update")
	}
}

const browserListing = "wschannel_js.txt"

// beyond returns the declarations of a listing that another one has not.
func beyond(listing, other string) string {
	known := map[string]bool{}
	for line := range strings.Lines(other) {
		known[line] = true
	}
	var more strings.Builder
	for line := range strings.Lines(listing) {
		word, _, _ := strings.Cut(line, " ")
		if slices.Contains([]string{"const", "func", "type", "var"}, word) && !known[line] {
			more.WriteString(line)
		}
	}
	return more.String()
}

// listingName names the file for the package in a folder.
func listingName(dir string) string {
	if dir == "." {
		dir = "wschannel"
	}
	return strings.ReplaceAll(dir, "/", "_") + ".txt"
}

func apiComplaints(current, recorded map[string]string) []string {
	var complaints []string
	for name, text := range current {
		old, ok := recorded[name]
		switch {
		case !ok:
			complaints = append(complaints, apiDir+"/"+name+" is not yet there")
		case old != text:
			complaints = append(complaints, apiDir+"/"+name+" differs (- recorded, + now):\n"+diff(old, text))
		}
	}
	for name := range recorded {
		if _, ok := current[name]; !ok {
			complaints = append(complaints, apiDir+"/"+name+" is no longer the listing of a package")
		}
	}
	slices.Sort(complaints)
	return complaints
}

func writeListings(t *testing.T, current map[string]string) {
	t.Helper()
	if err := os.RemoveAll(apiDir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(apiDir, 0o777); err != nil {
		t.Fatal(err)
	}
	for name, text := range current {
		if err := os.WriteFile(filepath.Join(apiDir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// diff shows which lines were removed (-) and added (+), each change with the
// lines around it.
func diff(before, after string) string {
	const around = 2
	a, b := slices.Collect(strings.Lines(before)), slices.Collect(strings.Lines(after))
	// common[i][j] is the length of the longest common subsequence of a[i:] and b[j:].
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var lines []string
	var changed []int // the indices of changed lines
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			lines = append(lines, "  "+a[i])
			i, j = i+1, j+1
		case i < len(a) && (j == len(b) || common[i+1][j] >= common[i][j+1]):
			changed = append(changed, len(lines))
			lines = append(lines, "- "+a[i])
			i++
		default:
			changed = append(changed, len(lines))
			lines = append(lines, "+ "+b[j])
			j++
		}
	}
	var out strings.Builder
	skipped := false
	for i, l := range lines {
		near := slices.ContainsFunc(changed, func(c int) bool { return max(c-i, i-c) <= around })
		if near {
			out.WriteString(l)
		} else if !skipped {
			out.WriteString("  ...\n")
		}
		skipped = !near
	}
	return out.String()
}
